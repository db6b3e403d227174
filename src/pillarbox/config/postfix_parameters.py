"""Every parameter of main.cf that this system serves, in groups.

DESCRIPTION
    `SERVED` finds the declaration of a parameter by its name.  A parameter belongs to one group; a program
    that needs two kinds of settings takes two groups.
"""

from typing import Final

from pillarbox.config.parameter import Declaration, declarations
from pillarbox.config.parameters.address_mapping import AddressMapping
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.content_checks import ContentChecks
from pillarbox.config.parameters.content_filter import BeforeQueueFilter, ContentFilter
from pillarbox.config.parameters.dane import Dane
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.instances import Instances
from pillarbox.config.parameters.lmtp_client import LmtpClient, LmtpClientSasl, LmtpClientTls, LmtpDelivery
from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.parameters.local_submission import LocalSubmission
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.processes import Processes
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.require_tls import RequireTls
from pillarbox.config.parameters.routing import Routing
from pillarbox.config.parameters.smtp_access import SmtpAccess
from pillarbox.config.parameters.smtp_client import MailExchange, SmtpClient
from pillarbox.config.parameters.smtp_client_sasl import SmtpClientSasl
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.parameters.smtp_server_sasl import SmtpServerSasl
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.config.parameters.tls_reports import TlsReports
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery

GROUPS: Final[tuple[type, ...]] = (
    Identity,
    Paths,
    QueueManager,
    SmtpServer,
    SmtpAccess,
    AddressVerification,
    SmtpServerSasl,
    SmtpServerTls,
    Cleanup,
    ContentChecks,
    ContentFilter,
    BeforeQueueFilter,
    LocalRecipients,
    LocalDelivery,
    LocalSubmission,
    VirtualDelivery,
    AddressMapping,
    Routing,
    MailExchange,
    SmtpClient,
    SmtpClientSasl,
    SmtpClientTls,
    Dane,
    TlsLibrary,
    RequireTls,
    TlsReports,
    LmtpClient,
    LmtpClientSasl,
    LmtpClientTls,
    LmtpDelivery,
    Logging,
    Processes,
    Instances,
)
"""In the order of the manual."""

SERVED: Final[dict[str, Declaration]] = {
    declaration.name: declaration for group in GROUPS for declaration in declarations(group)
}
"""Declarations by parameter name."""

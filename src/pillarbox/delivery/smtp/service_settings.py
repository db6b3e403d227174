"""The settings of one smtp or lmtp service: the names of lmtp's are those of smtp's with another prefix."""

import msgspec

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.lmtp_client import LmtpClient, LmtpClientSasl, LmtpClientTls
from pillarbox.config.parameters.smtp_client import MailExchange, SmtpClient
from pillarbox.config.parameters.smtp_client_sasl import SmtpClientSasl
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.opening import is_asked_in_utf8, open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf and the service's line of master.cf say."""

    snapshot: Snapshot
    clock: Clock
    lmtp: bool
    client: SmtpClient
    sasl: SmtpClientSasl
    tls: SmtpClientTls
    exchange: MailExchange
    identity: Identity

    @classmethod
    def of(cls, snapshot: Snapshot, *, lmtp: bool, clock: Clock) -> "ServiceSettings":
        """Those of `snapshot`."""
        return cls(
            snapshot=snapshot,
            clock=clock,
            lmtp=lmtp,
            client=snapshot.group(LmtpClient if lmtp else SmtpClient),
            sasl=snapshot.group(LmtpClientSasl if lmtp else SmtpClientSasl),
            tls=snapshot.group(LmtpClientTls if lmtp else SmtpClientTls),
            exchange=snapshot.group(MailExchange),
            identity=snapshot.group(Identity),
        )

    @property
    def prefix(self) -> str:
        """What the service's parameters begin with."""
        return "lmtp" if self.lmtp else "smtp"

    def where(self, parameter: str) -> str:
        """File, line and name of what stands for an `smtp_` parameter."""
        parameter = parameter.replace("smtp_", f"{self.prefix}_", 1)
        return self.snapshot.place_of(parameter)

    def tables(self, parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        """The tables that a parameter names, opened.  ConfigurationFault."""
        utf8 = is_asked_in_utf8(parameter)
        return open_tables(names, where=self.where(parameter), clock=self.clock, utf8=utf8)

"""All scenarios of the lab, by name."""

from typing import Final

from pillarbox.lab.scenarios.names import NAMES
from pillarbox.lab.scenarios.security import SECURITY
from pillarbox.lab.scenarios.sessions import SESSIONS
from pillarbox.lab.scenarios.traffic import TRAFFIC

SCENARIOS: Final = {scenario.name: scenario for scenario in (*SESSIONS, *NAMES, *SECURITY, *TRAFFIC)}

"""Several instances on one host: which there are, and what postmulti(1) does with them."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class Instances:
    """Instances that are started and stopped together; the first four are of each instance's own main.cf."""

    multi_instance_name: str = parameter(
        "", doc="The name of this instance, with which its log lines begin. `postmulti -I` sets it."
    )
    multi_instance_group: str = parameter(
        "", doc="The group that this instance belongs to, for `postmulti -g`."
    )
    multi_instance_enable: bool = parameter(
        "no", doc="Whether postmulti starts and stops this instance; one that is off is only checked."
    )
    multi_instance_directories: tuple[str, ...] = parameter(
        "", doc="Configuration directories of the other instances, in the order in which they are started."
    )
    multi_instance_wrapper: str = parameter(
        "",
        doc="What `postfix COMMAND` runs when there are other instances, with COMMAND behind it. "
        "`postmulti -e init` sets it.",
    )
    postmulti_start_commands: tuple[str, ...] = parameter(
        "start",
        doc="Commands of postfix(1) that start an instance: one that is off is checked instead.",
    )
    postmulti_stop_commands: tuple[str, ...] = parameter(
        "stop abort drain quick-stop",
        doc="Commands of postfix(1) that stop an instance: done in reverse order, without those that are off.",
    )
    postmulti_control_commands: tuple[str, ...] = parameter(
        "reload flush",
        doc="Commands of postfix(1) for an instance that runs: done without those that are off.",
    )

"""Keep the kernel's remarks about itself out of the log of a build."""

get_config().IPKernelApp.log_level = 40  # noqa: F821

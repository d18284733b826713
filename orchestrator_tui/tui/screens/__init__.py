"""The screens over the main one, and the main one."""

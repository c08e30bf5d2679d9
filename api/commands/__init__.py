"""The commands of `tingjian`, one module each, imported only when asked for."""

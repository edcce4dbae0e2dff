"""What runs on an emulated machine: files, processes, a shell, commands and daemons."""

"""The console server: race control's screens in browsers, in a process of its own, fed by MQTT and by nothing else."""

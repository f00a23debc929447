"""What a model predicts for any parameters: tables of hosts, of their pairs, of stellar masses."""

"""CompaSO: halos and particles of Abacus simulations, such as AbacusSummit."""

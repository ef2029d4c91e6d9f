"""Turn a study into planned trials: identities, states, resources, cohorts, estimates and suggestions."""

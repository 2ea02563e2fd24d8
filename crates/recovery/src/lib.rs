//! Recovery: the plan from a blank drive to a running Immich, and its resumable progress.

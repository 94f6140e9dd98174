"""S5 Blue & Gold delivery: six gates, rehearsal, shadow, canary, shift, promotion and rollback."""

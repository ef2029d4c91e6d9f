"""Hold every use of another package's private parts; tests/contract/test_compat_*.py name the versions they are for."""

//! `coalmine demo`: three peers, three ends, one table. Not registered yet.

//! logfmt, one event a line: no value can forge a line or a field.
//!
//! `key=value key="a value"`. A value is quoted when it is empty or holds white space, `"`, `=` or a control
//! character; inside quotes `\`, `"` and all control characters are escaped (`\n`, `\r`, `\t`, `\u{1b}`).
//! This file stands alone (std only): the helper compiles it too, so that all writers share one rule.

//! What a statement may do: everything within its own database, and nothing that leads out of it or takes its limits.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Pragmas that tell something of the tables, and take which one.
const TELL_OF: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
];
/// Pragmas that tell one value, and would set it to what they are given.
const TELL: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "page_count",
    "page_size",
    "schema_version",
    "user_version",
];
/// Functions that load what is no data.
const LOADERS: &[&str] = &["load_extension", "fts3_tokenizer"];

/// Says it for one action of a statement, as SQLite asks while it reads that.
pub(super) fn authorize(context: AuthContext<'_>) -> Authorization {
    let is_one_of = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let allowed = match context.action {
        AuthAction::Pragma { pragma_name, pragma_value } => {
            is_one_of(TELL_OF, pragma_name) || (pragma_value.is_none() && is_one_of(TELL, pragma_name))
        }
        AuthAction::Function { function_name } => !is_one_of(LOADERS, function_name),
        // VACUUM attaches, too, and so does VACUUM INTO.
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => false,
        _ => true,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

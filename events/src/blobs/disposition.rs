use crate::percent;

/// The header that makes a browser save the answer under this name: plain for old clients, RFC 5987 for the others.
/// Slashes and control characters would be directions to somewhere else and become `_`.
pub(super) fn attachment(name: &str) -> String {
    let name: String =
        name.chars().map(|char| if char.is_control() || matches!(char, '/' | '\\') { '_' } else { char }).collect();
    let plain: String =
        name.chars().map(|char| if char.is_ascii() && !matches!(char, '"' | '%') { char } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", percent::encode(&name))
}

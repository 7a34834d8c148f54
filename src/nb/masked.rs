//! Passwords in URLs.

/// The URL with `***` in place of its password, for logs and messages.
///
/// Everything up to the last `@` is hidden, so that a password without the required escapes is hidden, too.
#[must_use]
pub fn masked(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}:***@{host}"))
    };
    hidden().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden() {
        let cases = [
            ("redis://u:secret@h:1/2?ca=f", "redis://u:***@h:1/2?ca=f"),
            ("redis://:sec@re/t:#@h", "redis://:***@h"),
            ("redis://u@h:1", "redis://u@h:1"),
            ("redis://h:1", "redis://h:1"),
            ("sqlite:/a@b:c", "sqlite:/a@b:c"),
        ];
        for (url, shown) in cases {
            assert_eq!(masked(url), shown);
        }
    }
}

//! `{name}` in texts: URLs of the catalogue, claims of assertions.

/// Replaces every `{name}` by what `value` knows for it.
pub(crate) fn fill<'v>(
    template: &str,
    value: impl Fn(&str) -> Option<std::borrow::Cow<'v, str>>,
) -> Result<String, String> {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| "}".to_owned())?;
        text.push_str(before);
        text.push_str(&value(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// The names of all placeholders, in order.
pub(crate) fn names(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let check = |template: &str, expect: Result<&str, &str>| {
            let value = |name: &str| (name == "a").then_some("1".into());
            assert_eq!(fill(template, value), expect.map(str::to_owned).map_err(str::to_owned), "{template}");
        };
        check("", Ok(""));
        check("x", Ok("x"));
        check("https://{a}/{a}", Ok("https://1/1"));
        check("{a}{b}", Err("b"));
        check("{a", Err("}"));
        assert_eq!(names("{a}/{b}x{a}").collect::<Vec<_>>(), ["a", "b", "a"]);
    }
}

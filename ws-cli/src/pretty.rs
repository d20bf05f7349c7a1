//! JSON over several lines. Numbers, strings and the order of keys stay as the server sent them, which they would not if
//! the text were parsed and written anew.

/// The text with line breaks and indentation; `None` if it is not JSON, has no parts to be indented, or is nested so deep
/// that the indentation would be most of it.
pub(crate) fn pretty(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut lines = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if lines.len() > MOST_GROWTH.saturating_mul(text.len().max(SHORT)) {
            return None;
        }
        match character {
            // Between tokens: inside of strings they are escaped, or belong to the string.
            ' ' | '\t' | '\r' | '\n' => {}
            '"' => {
                lines.push('"');
                let mut escaped = false;
                for character in characters.by_ref() {
                    lines.push(character);
                    match character {
                        '"' if !escaped => break,
                        '\\' => escaped = !escaped,
                        _ => escaped = false,
                    }
                }
            }
            '{' | '[' => {
                lines.push(character);
                while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(end) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    lines.push(end);
                } else {
                    depth += 1;
                    new_line(&mut lines, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut lines, depth);
                lines.push(character);
            }
            ',' => {
                lines.push(',');
                new_line(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            _ => lines.push(character),
        }
    }
    Some(lines)
}

/// How many times longer than the text it may become: what a server sends must not take memory without end.
const MOST_GROWTH: usize = 8;
/// A text this short may become as long as one of this length, in bytes.
const SHORT: usize = 4096;

fn new_line(lines: &mut String, depth: usize) {
    lines.push('\n');
    lines.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_with_its_numbers_strings_and_order_unchanged() {
        let text = r#" {"z":1.50e3, "a":[ ],"s":"a,{\"b\":\\","n":[123456789012345678901234567890,{"x":null}],"o":{}}"#;
        let expected = r#"{
  "z": 1.50e3,
  "a": [],
  "s": "a,{\"b\":\\",
  "n": [
    123456789012345678901234567890,
    {
      "x": null
    }
  ],
  "o": {}
}"#;
        assert_eq!(pretty(text).as_deref(), Some(expected));
        assert_eq!(pretty(expected).as_deref(), Some(expected), "it is indented already");
    }

    #[test]
    fn what_is_not_json_or_has_no_parts_stays_as_it_is() {
        for text in ["", "hello", "{", "{a}", "[1,]", "{} {}", "1", "\"text\"", "null"] {
            assert_eq!(pretty(text), None, "{text}");
        }
    }

    #[test]
    fn json_nested_too_deep_to_be_read_stays_as_it_is() {
        assert_eq!(pretty(&"[".repeat(100_000)), None);
        assert_eq!(pretty(&("[".repeat(100_000) + &"]".repeat(100_000))), None);
        assert!(pretty(&("[".repeat(50) + &"1,".repeat(50) + "1" + &"]".repeat(50))).is_some());
    }
}

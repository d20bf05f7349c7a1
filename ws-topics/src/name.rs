//! Topic names and topic filters, as in MQTT 5 section 4.7.

#[cfg(not(target_arch = "wasm32"))]
use crate::error::TopicError;

#[cfg(not(target_arch = "wasm32"))]
/// Errors unless `name` is a topic to publish to.
pub(crate) fn check_topic(name: &str, max: usize) -> Result<(), TopicError> {
    check_text(name, max)?;
    // MQTT 5 section 4.7.1: wildcards must not be used in a topic name.
    if is_filter(name) {
        return Err(TopicError::InvalidName { name: name.into(), why: "`+` and `#` are for filters only" });
    }
    Ok(())
}

#[cfg(not(target_arch = "wasm32"))]
/// Errors unless `filter` is a topic or a filter.
pub(crate) fn check_filter(filter: &str, max: usize) -> Result<(), TopicError> {
    check_text(filter, max)?;
    let invalid = |why| Err(TopicError::InvalidName { name: filter.into(), why });
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        match level {
            // MQTT 5 section 4.7.1.2: `#` must be the last character, and alone in its level.
            "#" if levels.peek().is_some() => return invalid("`#` must be the last level"),
            "#" | "+" => {}
            // MQTT 5 section 4.7.1.3: `+` must occupy an entire level.
            _ if level.contains(['+', '#']) => return invalid("`+` and `#` must be alone in their level"),
            _ => {}
        }
    }
    Ok(())
}

/// Whether it has wildcards.
pub(crate) fn is_filter(name: &str) -> bool {
    name.contains(['+', '#'])
}

/// Whether wildcards at the beginning of a filter leave the topic out: MQTT 5 section 4.7.2.
pub(crate) fn is_hidden(topic: &str) -> bool {
    topic.starts_with('$')
}

/// Whether a topic is matched by a topic or filter, both of which are valid.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    if is_hidden(topic) && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut levels, mut filters) = (topic.split('/'), filter.split('/'));
    loop {
        match (filters.next(), levels.next()) {
            // MQTT 5 section 4.7.1.2: `#` also matches the parent level.
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

/// Whether there is a topic that both match: topics or filters, both of which are valid.
#[cfg(all(feature = "endpoint", not(target_arch = "wasm32")))]
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let hides = |filter: &str, topic: &str| is_hidden(topic) && filter.starts_with(['+', '#']);
    if hides(one, other) || hides(other, one) {
        return false;
    }
    let (mut ones, mut others) = (one.split('/'), other.split('/'));
    loop {
        match (ones.next(), others.next()) {
            // MQTT 5 section 4.7.1.2: `#` also matches the parent level.
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn check_text(name: &str, max: usize) -> Result<(), TopicError> {
    // MQTT 5 section 4.7.3: at least one character, no U+0000.
    if name.is_empty() {
        return Err(TopicError::InvalidName { name: String::new(), why: "it is empty" });
    }
    if name.len() > max {
        return Err(TopicError::NameTooLong { length: name.len(), limit: max });
    }
    if name.contains('\0') {
        return Err(TopicError::InvalidName { name: name.into(), why: "it contains U+0000" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of MQTT 5 section 4.7, and what follows from its rules.
    #[test]
    fn filters_match_as_mqtt_5_section_4_7_says() {
        let matching = [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "sport/tennis"),
            ("sport/tennis/+", "sport/tennis/player1"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("+/tennis/#", "sport/tennis/player1"),
            ("$SYS/#", "$SYS/monitor/Clients"),
            ("$SYS/monitor/+", "$SYS/monitor/Clients"),
            ("a/+/c/#", "a//c"),
        ];
        for (filter, topic) in matching {
            check_filter(filter, 255).unwrap();
            check_topic(topic, 255).unwrap();
            assert!(matches(filter, topic), "{filter} matches {topic}");
        }
        let others = [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/monitor"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
            ("sport/tennis", "Sport/tennis"),
            ("sport", "sport/"),
            ("sport/#", "sports"),
        ];
        for (filter, topic) in others {
            assert!(!matches(filter, topic), "{filter} does not match {topic}");
        }
    }

    /// Compared with what they match, for all filters of up to three levels.
    #[cfg(feature = "endpoint")]
    #[test]
    fn filters_overlap_if_and_only_if_a_topic_matches_both() {
        let levels = |names: &[&str]| {
            let one: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let add = |to: &[String]| -> Vec<String> {
                to.iter().flat_map(|to| names.iter().map(move |name| format!("{to}/{name}"))).collect()
            };
            let (two, three) = (add(&one), add(&add(&one)));
            [one, two, three].concat()
        };
        let topics = levels(&["", "a", "b", "$c"]);
        let topics: Vec<_> = topics.iter().filter(|topic| check_topic(topic, 99).is_ok()).collect();
        let filters = levels(&["a", "+", "#", "$c"]);
        let filters: Vec<_> = filters.iter().filter(|filter| check_filter(filter, 99).is_ok()).collect();
        for one in &filters {
            for other in &filters {
                let both = topics.iter().any(|topic| matches(one, topic) && matches(other, topic));
                assert_eq!(overlap(one, other), both, "{one} and {other}");
            }
        }
    }

    #[test]
    fn wildcards_stand_alone_in_a_level_and_only_in_filters() {
        for wrong in ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "+a/b", "a/##", "a\0b"] {
            assert!(check_filter(wrong, 255).is_err(), "{wrong:?}");
        }
        assert!(check_topic("a/+", 255).is_err() && check_topic("#", 255).is_err());
        assert!(check_topic("/", 255).is_ok() && check_topic(&"a".repeat(255), 255).is_ok());
        assert!(check_topic(&"a".repeat(256), 255).is_err());
    }
}

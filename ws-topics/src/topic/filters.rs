//! The filters that are subscribed to, by their levels.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::publishing::Visits;
use super::queue::Lost;
use super::seat::Seat;
use crate::error::TopicError;
use crate::name;
use crate::position::Position;

/// A filter with wildcards, and its subscriptions.
pub(crate) struct Filter {
    text: Box<str>,
    list: Mutex<Vec<Arc<Seat>>>,
}

/// All filters. A topic keeps those that match it until another is added or one goes: [`generation`](Self::generation).
#[derive(Debug, Default)]
pub(crate) struct Filters {
    tree: RwLock<Tree>,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Tree {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    levels: HashMap<Box<str>, Node>,
    /// The filter that ends here.
    filter: Option<Arc<Filter>>,
}

impl Filter {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds a subscription.
    pub(crate) fn join(&self, seat: &Arc<Seat>) -> Result<(), TopicError> {
        let mut list = self.lock();
        seat.subscriber.add(seat)?;
        seat.join(&mut list);
        Ok(())
    }

    /// Ends a subscription; returns whether there is no other.
    pub(crate) fn leave(&self, seat: &Seat) -> bool {
        let mut list = self.lock();
        seat.leave(&mut list);
        list.is_empty()
    }

    /// Messages of other servers are missing, and it is not known of which topics: subscribers get a mark.
    pub(crate) fn lose(&self, visits: &mut Visits) {
        let nowhere = Position { epoch: 0, offset: 0 };
        for seat in self.lock().iter() {
            seat.subscriber.push_gap(seat, Lost { messages: None, ..Lost::at(nowhere) });
            visits.remember(seat, false);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filters {
    /// Changes whenever a filter is added or goes; 0 as long as there never was one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Finds or adds a filter, and does something with it before it can go.
    pub(crate) fn with<T>(
        &self,
        text: &str,
        limit: usize,
        act: impl FnOnce(&Arc<Filter>) -> Result<T, TopicError>,
    ) -> Result<T, TopicError> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(filter) = tree.root.find(text) {
            return act(&filter);
        }
        if tree.count >= limit {
            return Err(TopicError::TooManyFilters { limit });
        }
        let filter = Arc::new(Filter { text: text.into(), list: Mutex::default() });
        let done = act(&filter)?;
        let node =
            text.split('/').fold(&mut tree.root, |node, level| node.levels.entry(level.into()).or_default());
        node.filter = Some(filter);
        tree.count = tree.count.saturating_add(1);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(done)
    }

    /// Finds a filter by its text.
    pub(crate) fn find(&self, text: &str) -> Option<Arc<Filter>> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner).root.find(text)
    }

    /// Returns the texts of all filters.
    pub(crate) fn texts(&self) -> Vec<Box<str>> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        let mut nodes = vec![&tree.root];
        while let Some(node) = nodes.pop() {
            found.extend(node.filter.iter().map(|filter| filter.text.clone()));
            nodes.extend(node.levels.values());
        }
        found
    }

    /// Drops a filter if nobody is subscribed to it.
    pub(crate) fn remove_if_idle(&self, filter: &Arc<Filter>) {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let known = tree.root.find(&filter.text).is_some_and(|known| Arc::ptr_eq(&known, filter));
        if known && filter.lock().is_empty() {
            tree.root.remove(filter.text.split('/'));
            tree.count = tree.count.saturating_sub(1);
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Returns the filters that match a topic: MQTT 5 section 4.7. Looks at no more nodes than there are.
    pub(crate) fn matching(&self, topic: &str) -> Vec<Arc<Filter>> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        let mut reached = vec![&tree.root];
        for (depth, level) in topic.split('/').enumerate() {
            // Section 4.7.2: wildcards at the beginning do not match topics that begin with `$`.
            let wild = depth > 0 || !name::is_hidden(topic);
            if wild {
                found.extend(reached.iter().filter_map(|node| node.rest()));
            }
            reached = reached
                .into_iter()
                .flat_map(|node| [node.levels.get(level), node.levels.get("+").filter(|_| wild)])
                .flatten()
                .collect();
        }
        // Section 4.7.1.2: `#` also matches the parent level.
        found.extend(reached.iter().filter_map(|node| node.rest()));
        found.extend(reached.iter().filter_map(|node| node.filter.clone()));
        found
    }
}

impl Node {
    fn find(&self, text: &str) -> Option<Arc<Filter>> {
        let node = text.split('/').try_fold(self, |node, level| node.levels.get(level))?;
        node.filter.clone()
    }

    /// The filter that goes on with `#`.
    fn rest(&self) -> Option<Arc<Filter>> {
        self.levels.get("#").and_then(|node| node.filter.clone())
    }

    /// Removes the filter of these levels, and the nodes that only it needed. As deep as the filter has levels, which the length of
    /// a topic bounds.
    fn remove<'t>(&mut self, mut levels: impl Iterator<Item = &'t str>) {
        match levels.next() {
            None => self.filter = None,
            Some(level) => {
                if let Some(node) = self.levels.get_mut(level) {
                    node.remove(levels);
                    if node.filter.is_none() && node.levels.is_empty() {
                        self.levels.remove(level);
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("text", &self.text).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(filters: &Filters, topic: &str) -> Vec<String> {
        let mut texts: Vec<_> =
            filters.matching(topic).iter().map(|filter| filter.text.to_string()).collect();
        texts.sort();
        texts
    }

    /// All topics and filters of up to three levels of a small alphabet: the tree finds what `name::matches` says.
    #[test]
    fn the_tree_of_filters_finds_exactly_what_matches() {
        let levels = |alphabet: &[&str]| {
            let mut all: Vec<String> = Vec::new();
            for a in alphabet {
                all.push((*a).into());
                for b in alphabet {
                    all.push(format!("{a}/{b}"));
                    all.extend(alphabet.iter().map(|c| format!("{a}/{b}/{c}")));
                }
            }
            all
        };
        let filters = Filters::default();
        let mut texts_of_filters = levels(&["a", "+", "#", "", "$x"]);
        texts_of_filters.retain(|text| name::is_filter(text) && name::check_filter(text, 255).is_ok());
        let added: Vec<_> = texts_of_filters
            .iter()
            .map(|text| filters.with(text, 1_000, |filter| Ok(Arc::clone(filter))).unwrap())
            .collect();
        for topic in levels(&["a", "b", "", "$x"]) {
            let mut expected: Vec<_> =
                texts_of_filters.iter().filter(|filter| name::matches(filter, &topic)).cloned().collect();
            expected.sort();
            assert_eq!(texts(&filters, &topic), expected, "{topic:?}");
        }
        for filter in &added {
            filters.remove_if_idle(filter);
        }
        let tree = filters.tree.read().unwrap();
        assert!(tree.root.levels.is_empty() && tree.count == 0, "nothing of a filter is left behind");
    }

    #[test]
    fn no_more_filters_are_added_than_may_be() {
        let filters = Filters::default();
        filters.with("a/+", 1, |_| Ok(())).unwrap();
        filters.with("a/+", 1, |_| Ok(())).unwrap();
        assert_eq!(filters.with("b/+", 1, |_| Ok(())), Err(TopicError::TooManyFilters { limit: 1 }));
    }
}

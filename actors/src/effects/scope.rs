//! How far a grant reaches: to nothing, to what is listed, or, spelled out, to anything.

use serde::{Serialize, Serializer};

/// A list that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T>(Vec<T>);

impl<T> Listed<T> {
    /// The list, unless it is empty.
    pub fn new(list: Vec<T>) -> Option<Self> {
        (!list.is_empty()).then_some(Self(list))
    }

    /// What is in it.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

/// How far a grant reaches. What a policy leaves out is `Deny`, and never `Any`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope<T> {
    /// To nothing.
    #[default]
    Deny,
    /// To these alone.
    Only(Listed<T>),
    /// To anything; a policy has to say `"any"`.
    Any,
}

impl<T> Scope<T> {
    /// To these alone; to nothing where there are none.
    pub fn only(list: Vec<T>) -> Self {
        Listed::new(list).map_or(Self::Deny, Self::Only)
    }

    /// What is listed; nothing for `Deny` and for `Any`.
    pub fn listed(&self) -> &[T] {
        match self {
            Self::Only(list) => list.as_slice(),
            Self::Deny | Self::Any => &[],
        }
    }

    /// Whether it reaches to anything.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether it reaches to nothing.
    pub fn is_deny(&self) -> bool {
        matches!(self, Self::Deny)
    }

    /// Where in it something is found that fits; for `Any` there is no place, and it fits.
    pub fn find(&self, fits: impl FnMut(&T) -> bool) -> Option<Found> {
        match self {
            Self::Deny => None,
            Self::Only(list) => list.as_slice().iter().position(fits).map(Found::At),
            Self::Any => Some(Found::Any),
        }
    }

    /// What both reach to, where `both` says what two entries have in common.
    #[must_use]
    pub fn meet(&self, other: &Self, mut both: impl FnMut(&T, &T) -> Option<T>) -> Self
    where
        T: Clone + PartialEq,
    {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Any, scope) | (scope, Self::Any) => scope.clone(),
            (Self::Only(mine), Self::Only(theirs)) => {
                let mut met = Vec::new();
                for (one, other) in mine.0.iter().flat_map(|one| theirs.0.iter().map(move |other| (one, other))) {
                    met.extend(both(one, other).filter(|entry| !met.contains(entry)));
                }
                Self::only(met)
            }
        }
    }
}

/// Where a scope covers something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// By its entry of this number, from 0.
    At(usize),
    /// By being open.
    Any,
}

impl<T: Serialize> Serialize for Scope<T> {
    /// As a policy writes it: nothing, a list, or `"any"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Deny => serializer.serialize_none(),
            Self::Only(list) => list.0.serialize(serializer),
            Self::Any => serializer.serialize_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_deny_and_never_any() {
        assert_eq!(Scope::<u8>::only(Vec::new()), Scope::Deny);
        assert_eq!(Scope::<u8>::default().find(|_| true), None);
        assert_eq!(Scope::only(vec![1, 2]).find(|n| *n == 2), Some(Found::At(1)));
        assert_eq!(Scope::<u8>::Any.find(|_| false), Some(Found::Any));
    }

    #[test]
    fn two_scopes_meet_in_what_both_reach() {
        let same = |one: &u8, other: &u8| (one == other).then_some(*one);
        let (some, others) = (Scope::only(vec![1, 2]), Scope::only(vec![2, 3]));
        assert_eq!(some.meet(&others, same), Scope::only(vec![2]));
        assert_eq!(some.meet(&Scope::Any, same), some);
        assert_eq!(Scope::Any.meet(&Scope::Any, same), Scope::Any);
        assert_eq!(some.meet(&Scope::Deny, same), Scope::Deny);
        assert_eq!(some.meet(&Scope::only(vec![9]), same), Scope::Deny);
    }
}

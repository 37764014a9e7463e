//! Graph's evolvable enumerations: members may be added at any time, and none may be lost.

use super::State;
use super::property::Spellings;

/// A status: an enumeration, or an object around one.
pub(super) trait Status {
    /// If the status is an object, its property that holds the word.
    const WITHIN: Option<&'static str> = None;

    /// The state that a member of the enumeration stands for; `None` if it is not known.
    fn state_of(word: &str) -> Option<State>;

    /// The member's text, or the service's own if the member is not known.
    fn word(&self) -> &str;

    /// The word as the service spelled it, given the spellings of the whole operation.
    fn spelled<'a>(&'a self, spellings: &'a Spellings) -> &'a str {
        spellings.word("status", self.word())
    }
}

/// Declares an enumeration that is read and written as on the wire, and keeps members that it does
/// not know.
///
/// If each member has a state, the enumeration is a status.
macro_rules! evolvable {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$member_meta:meta])* $member:ident = $text:literal => $state:ident, )+ }
    ) => {
        evolvable! { $(#[$meta])* $name { $( $(#[$member_meta])* $member = $text, )+ } }

        impl $crate::model::evolvable::Status for $name {
            fn state_of(word: &str) -> Option<$crate::model::State> {
                Some(match Self::known(word)? {
                    $( Self::$member => $crate::model::State::$state, )+
                    Self::Unknown(_) => return None,
                })
            }

            fn word(&self) -> &str {
                self.as_str()
            }
        }
    };
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$member_meta:meta])* $member:ident = $text:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$member_meta])* $member, )+
            /// The text of a member that this version of the library does not know; empty if the
            /// service sent nothing.
            Unknown(String),
        }

        impl $name {
            /// The member as on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$member => $text, )+
                    Self::Unknown(text) => text,
                }
            }

            /// Ignores case, in which the documentation's pages and the service's versions differ.
            fn known(text: &str) -> Option<Self> {
                $( if text.eq_ignore_ascii_case($text) { return Some(Self::$member); } )+
                None
            }
        }

        /// An absent member.
        impl Default for $name {
            fn default() -> Self {
                Self::Unknown(String::new())
            }
        }

        /// Matches without regard to case.
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Unknown(text.to_owned()))
            }
        }

        /// Matches without regard to case.
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::known(&text).unwrap_or(Self::Unknown(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(deserializer)?))
            }
        }

        impl $crate::model::property::Property for $name {
            fn read(wire: &$crate::model::property::Wire<'_>) -> Option<Self> {
                use $crate::model::property::Wire;
                match wire {
                    Wire::Null => Some(Self::default()),
                    Wire::Text(text) => Some(Self::from(text.as_ref())),
                    Wire::Other(_) => None,
                }
            }

            fn is_written_as(&self, wire: &$crate::model::property::Wire<'_>) -> bool {
                use $crate::model::property::Wire;
                match wire {
                    Wire::Text(text) => !text.is_empty() && text.as_ref() == self.as_str(),
                    _ => true,
                }
            }

            fn write<M: serde::ser::SerializeMap>(
                &self,
                map: &mut M,
                name: &'static str,
            ) -> Result<(), M::Error> {
                if self.as_str().is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
            }
        }
    };
}

pub(super) use evolvable;

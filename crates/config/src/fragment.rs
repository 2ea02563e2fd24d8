//! What a file of the configuration sets: all of it optional, a later one merged over an earlier
//! one, and all together put over the defaults.

use std::collections::BTreeMap;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};

use crate::kind::Kind;

/// Stands in a documented key for the name that a person gives: "backup.targets.NAME.scope".
pub(crate) const NAME: &str = "NAME";

/// One key of the configuration, for the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key with its tables: "drive.uuid"; NAME in it stands for a name of one's own.
    pub key: String,
    /// The type of its value, in words.
    pub kind: String,
    /// Its default as written in the file, or "none".
    pub default: String,
    /// What it means.
    pub doc: &'static str,
}

/// A part of a file: a value, a table, or tables by name.
pub(crate) trait Fragment: DeserializeOwned {
    /// What it becomes in the settings.
    type Value;

    /// Puts what a later file sets over it.
    fn merge(&mut self, later: Self);

    /// Puts it over the default.
    fn apply(self, value: &mut Self::Value);

    /// Adds the keys in it to `all`; `doc` and `default` are those of a single value.
    fn describe(key: &str, doc: &'static str, default: &Self::Value, all: &mut Vec<KeyDoc>);
}

/// A value, checked as it is read.
pub(crate) struct Checked<K: Kind>(K::Value);

impl<'de, K: Kind> Deserialize<'de> for Checked<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // All that fails here is a number beyond 64 bits, and no key takes such a number.
        let value = toml::Value::deserialize(deserializer).unwrap_or(f64::INFINITY.into());
        K::read(&value).map(Self).map_err(D::Error::custom)
    }
}

impl<K: Kind> Fragment for Checked<K> {
    type Value = K::Value;

    fn merge(&mut self, later: Self) {
        *self = later;
    }

    fn apply(self, value: &mut K::Value) {
        *value = self.0;
    }

    fn describe(key: &str, doc: &'static str, default: &K::Value, all: &mut Vec<KeyDoc>) {
        all.push(KeyDoc {
            key: key.into(),
            kind: K::name(),
            default: K::show(default).unwrap_or_else(|| "none".into()),
            doc: doc.trim(),
        });
    }
}

/// Tables by name: `[backup.targets.NAME]`. Several files may each set a part of one.
impl<F: Fragment<Value: Default> + Default> Fragment for BTreeMap<String, F> {
    type Value = BTreeMap<String, F::Value>;

    fn merge(&mut self, later: Self) {
        for (name, table) in later {
            self.entry(name).or_default().merge(table);
        }
    }

    fn apply(self, value: &mut Self::Value) {
        for (name, table) in self {
            table.apply(value.entry(name).or_default());
        }
    }

    fn describe(key: &str, doc: &'static str, _: &Self::Value, all: &mut Vec<KeyDoc>) {
        let (key, default) = (format!("{key}.{NAME}"), F::Value::default());
        F::describe(&key, doc, &default, all);
    }
}

pub(crate) fn merge<F: Fragment>(earlier: &mut Option<F>, later: Option<F>) {
    match (earlier, later) {
        (_, None) => {}
        (Some(earlier), Some(later)) => earlier.merge(later),
        (earlier, later) => *earlier = later,
    }
}

/// Describes each table once: its settings, their defaults, the fragment that is read from a
/// file, and the reference, which is the doc comments.
///
/// A field is a value, `field("key"): Type as Kind = default` (the key may be left out where it
/// is the field's name), a table, `field: Type => Fragment`, or tables by name,
/// `field: BTreeMap<String, Type> => BTreeMap<String, Fragment>`.
macro_rules! tables {
    ($(
        $(#[doc = $about:literal])+
        $name:ident, $fragment:ident {$(
            $(#[doc = $doc:literal])+
            $field:ident $(($key:literal))?: $type:ty
                $(as $kind:ty = $default:expr)? $(=> $table:ty)?,
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {$(
            $(#[doc = $doc])+
            pub $field: $type,
        )+}

        impl Default for $name {
            fn default() -> Self {
                Self {$(
                    $field: { $($default)? $(<$table as $crate::fragment::Fragment>::Value::default())? },
                )+}
            }
        }

        #[derive(Default, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $fragment {$(
            $(#[serde(rename = $key)])?
            $field: Option<$($crate::fragment::Checked<$kind>)? $($table)?>,
        )+}

        impl $crate::fragment::Fragment for $fragment {
            type Value = $name;

            fn merge(&mut self, later: Self) {
                $($crate::fragment::merge(&mut self.$field, later.$field);)+
            }

            fn apply(self, value: &mut $name) {
                $(if let Some(set) = self.$field {
                    set.apply(&mut value.$field);
                })+
            }

            fn describe(
                key: &str,
                _: &'static str,
                default: &$name,
                all: &mut Vec<$crate::fragment::KeyDoc>,
            ) {
                let tables = if key.is_empty() { String::new() } else { format!("{key}.") };
                $(<$($crate::fragment::Checked<$kind>)? $($table)? as $crate::fragment::Fragment>::describe(
                    &format!("{tables}{}", [$($key,)? stringify!($field)][0]),
                    concat!($($doc),+),
                    &default.$field,
                    all,
                );)+
            }
        }
    )+};
}
pub(crate) use tables;

//! The configuration: fragments, merged into inputs, validated into settings.

//! Canonical strings: reading an accepted URL again changes nothing, no spelling of a host gets
//! through twice, and following a redirect is as strict as the first address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vinylvault::source::Source;

fuzz_target!(|text: &str| {
    let (url, location) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(source) = Source::parse(url) else { return };
    assert!(source.canonical().is_ascii());
    assert!(!source.host().is_empty() && source.host() == source.host().to_ascii_lowercase());
    let again = Source::parse(source.url()).expect("the URL that is fetched is a URL");
    assert_eq!(again.key(), source.key());
    if !source.canonical().starts_with("discogs:") {
        let canonical = Source::parse(source.canonical()).expect("a canonical string is a URL");
        assert_eq!(canonical.canonical(), source.canonical());
        assert_eq!(canonical.host(), source.host());
        assert_eq!((canonical.port(), canonical.is_https()), (source.port(), source.is_https()));
    }
    if let Ok(target) = source.join(location) {
        assert_eq!(Source::parse(target.url()).map(|target| target.key()), Ok(target.key()));
    }
});

//! What a URL is taken for: canonical strings and a strict reading.

use vinylvault::key::CacheKey;
use vinylvault::source::{Source, SourceError, names_no_cover};

const SIGNATURE: &str = "MPDZnLHL0123456789-_abcdefghijABCDEFGHIJ012";

fn canonical(url: &str) -> String {
    Source::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")).canonical().to_owned()
}

fn source(url: &str) -> Source {
    Source::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn todays_discogs_addresses_are_named_by_the_file_they_encode() {
    let examples = [
        (
            "rs:fit/g:sm/q:90/h:600/w:600/czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTMzOTg2/Mzc2LTE3NDczMTMy/MTgtNzcyMS5qcGVn.jpeg",
            "R-33986376-1747313218-7721.jpeg",
        ),
        (
            "rs:fit/g:sm/q:40/h:150/w:150/czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTMzOTg2/Mzc2LTE3NDczMTMy/MTgtNzcyMS5qcGVn.jpeg",
            "R-33986376-1747313218-7721.jpeg",
        ),
        (
            "rs:fit/g:sm/q:90/h:600/w:595/czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTIyMzM4/LTEyMTU5ODQ2MTku/anBlZw.jpeg",
            "R-22338-1215984619.jpeg",
        ),
        (
            "rs:fit/g:sm/q:90/h:589/w:600/czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTk3MDEw/MTMtMTY0Mjg0ODUz/OC0yMTY1LmpwZWc.jpeg",
            "R-9701013-1642848538-2165.jpeg",
        ),
        (
            "rs:fit/g:sm/q:90/h:521/w:600/czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTE1Nzc1/LTExMzg4MzQwNTQu/anBlZw.jpeg",
            "R-15775-1138834054.jpeg",
        ),
    ];
    for (tail, name) in examples {
        let url = format!("https://i.discogs.com/{SIGNATURE}/{tail}");
        assert_eq!(canonical(&url), format!("discogs:{name}"));
        assert_eq!(
            canonical(&format!("{url}?any=query#and")),
            format!("discogs:{name}"),
            "queries are ignored"
        );
        assert_eq!(source(&url).url(), url, "signed, so fetched as it came");
        assert_eq!(source(&url).key(), CacheKey::of(&format!("discogs:{name}")));
    }
}

#[test]
fn older_discogs_addresses_have_the_same_name() {
    let name = "discogs:R-9892912-1579456707-2320.jpeg";
    let thumbor = "fit-in/600x624/filters:strip_icc():format(jpeg):mode_rgb():quality(90)/discogs-images";
    for url in [
        format!("https://img.discogs.com/{SIGNATURE}=/{thumbor}/R-9892912-1579456707-2320.jpeg.jpg"),
        format!("https://img.discogs.com/{SIGNATURE}=/{thumbor}/R-9892912-1579456707-2320.jpeg.jpeg"),
        format!("http://api-img.discogs.com/{SIGNATURE}=/{thumbor}/R-9892912-1579456707-2320.jpeg.jpg"),
        "https://i.discogs.com/R-9892912-1579456707-2320.jpeg?bucket=discogs-images&expiry=1&signature=a%2Fb"
            .into(),
        "http://api.discogs.com/image/R-9892912-1579456707-2320.jpeg".into(),
        "HTTPS://I.Discogs.COM:443/R-9892912-1579456707-2320.jpeg".into(),
    ] {
        assert_eq!(canonical(&url), name, "{url}");
    }
    let png = format!("https://img.discogs.com/{SIGNATURE}=/{thumbor}/A-1-1579456707-2320.png.jpg");
    assert_eq!(canonical(&png), "discogs:A-1-1579456707-2320.png");
    let once = format!("https://img.discogs.com/{SIGNATURE}=/{thumbor}/M-7-1579456707.jpg");
    assert_eq!(canonical(&once), "discogs:M-7-1579456707.jpg", "the only extension is the file's");
    let twice = format!("https://img.discogs.com/{SIGNATURE}=/{thumbor}/M-7-1579456707.jpg.jpg");
    assert_eq!(canonical(&twice), "discogs:M-7-1579456707.jpg");
}

#[test]
fn the_size_in_a_name_of_2013_is_dropped_and_an_id_that_looks_like_one_is_not() {
    for (asked, name) in [
        ("R-150-1-1193812031.jpeg", "R-1-1193812031.jpeg"),
        ("R-90-1-1193812031.jpeg", "R-1-1193812031.jpeg"),
        ("L-150-1000-1159478385.gif", "L-1000-1159478385.gif"),
        ("A-150-22-999999999-1234.png", "A-22-999999999-1234.png"),
        ("L-1000-1159478385.gif", "L-1000-1159478385.gif"),
        ("R-150-1193812031-1234.jpeg", "R-150-1193812031-1234.jpeg"),
        ("R-150-1193812031.jpeg", "R-150-1193812031.jpeg"),
        ("R-151-1-1193812031.jpeg", "R-151-1-1193812031.jpeg"),
    ] {
        assert_eq!(canonical(&format!("http://api.discogs.com/image/{asked}")), format!("discogs:{name}"));
    }
    let elsewhere = canonical("https://i.discogs.com/R-150-1-1193812031.jpeg?bucket=x");
    assert_eq!(elsewhere, "discogs:R-150-1-1193812031.jpeg", "no other form carries a size");
}

#[test]
fn what_only_looks_like_a_discogs_picture_is_named_by_its_whole_address() {
    for url in [
        "https://s.discogs.com/images/spacer.gif",
        "https://api.discogs.com/images/spacer.gif",
        "https://api.discogs.com/other/R-1-1193812031.jpeg",
        "https://api.discogs.com/image/x/R-1-1193812031.jpeg",
        "https://i.discogs.com/B-1-1193812031.jpeg",
        "https://i.discogs.com/U-1-1193812031.jpeg",
        "https://i.discogs.com/R-1-1193812031.webp",
        "https://i.discogs.com/R-1-1193812031.JPEG",
        "https://i.discogs.com/R-1.jpeg",
        "https://i.discogs.com/R--1193812031.jpeg",
        "https://i.discogs.com/R-1-2-3-4.jpeg",
        "https://i.discogs.com/sig/w:600/bm90IGEgbmFtZQ.jpeg",
        "https://i.discogs.com/sig/w:600/!!!.jpeg",
        "https://i.discogs.com/sig/w:600/",
        "https://i.discogs.com:8443/R-1-1193812031.jpeg",
        "https://i.discogs.com.evil.example/R-1-1193812031.jpeg",
        "https://evil.example/R-1-1193812031.jpeg",
        "https://evil-i.discogs.com/R-1-1193812031.jpeg",
    ] {
        assert_eq!(canonical(url), url);
    }
}

#[test]
fn another_address_of_the_same_picture_has_the_same_key() {
    for (url, expected) in [
        ("HTTP://Example.COM", "http://example.com/"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:443/a", "http://example.com:443/a"),
        ("https://example.com:80/a", "https://example.com:80/a"),
        ("https://example.com/a#b?c", "https://example.com/a"),
        ("https://example.com?b=C", "https://example.com/?b=C"),
        ("https://example.com#x", "https://example.com/"),
        ("https://example.com/A/../b//c%2F?x=%41&&y#z", "https://example.com/A/../b//c%2F?x=%41&&y"),
        ("http://nas_1.local:4533/rest", "http://nas_1.local:4533/rest"),
        ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("https://1.1.1.1/x", "https://1.1.1.1/x"),
        ("https://example.com/user@host:80", "https://example.com/user@host:80"),
    ] {
        assert_eq!(canonical(url), expected);
        assert_eq!(source(url).key(), CacheKey::of(expected));
    }
    assert_ne!(canonical("http://example.com/"), canonical("https://example.com/"));
    let source = source("https://Example.com:8443/A?b#c");
    assert_eq!(source.url(), "https://Example.com:8443/A?b", "never edited, the fragment is never sent");
    assert_eq!((source.host(), source.port(), source.is_https()), ("example.com", 8443, true));
}

/// What two readers could understand differently, or a reader and a resolver.
const AMBIGUOUS: [(&str, SourceError); 58] = [
    ("", SourceError::Scheme),
    ("example.com/a", SourceError::Scheme),
    ("//example.com/a", SourceError::Scheme),
    ("http:/example.com/a", SourceError::Scheme),
    ("ftp://example.com/", SourceError::Scheme),
    ("file:///etc/passwd", SourceError::Scheme),
    ("gopher://127.0.0.1:6379/_x", SourceError::Scheme),
    ("data:image/png;base64,AAAA", SourceError::Scheme),
    ("jar:http://example.com!/x", SourceError::Scheme),
    ("unix:/run/x.sock", SourceError::Scheme),
    ("javascript:alert(1)", SourceError::Scheme),
    ("http://user@example.com/", SourceError::UserInfo),
    ("http://user:pass@example.com/", SourceError::UserInfo),
    ("http://i.discogs.com@127.0.0.1/", SourceError::UserInfo),
    ("http://@example.com/", SourceError::UserInfo),
    ("http://", SourceError::Host),
    ("http:///a", SourceError::Host),
    ("http://?a", SourceError::Host),
    ("http://:80/", SourceError::Host),
    ("http://a..b/", SourceError::Host),
    ("http://.a/", SourceError::Host),
    ("http://example.com./", SourceError::Host),
    ("http://LOCALHOST./", SourceError::Host),
    ("http://exa%6dple.com/", SourceError::Host),
    ("http://exam!ple.com/", SourceError::Host),
    ("http://127.1/", SourceError::Host),
    ("http://2130706433/", SourceError::Host),
    ("http://0x7f000001/", SourceError::Host),
    ("http://0x7f.1/", SourceError::Host),
    ("http://0177.0.0.1/", SourceError::Host),
    ("http://0/", SourceError::Host),
    ("http://127.0.0.1.1/", SourceError::Host),
    ("http://256.0.0.1/", SourceError::Host),
    ("http://example.0x/", SourceError::Host),
    ("http://[::1/", SourceError::Host),
    ("http://::1/", SourceError::Host),
    ("http://[fe80::1%25lo]/", SourceError::Host),
    ("http://[fe80::1%lo]/", SourceError::Host),
    ("http://[127.0.0.1]/", SourceError::Host),
    ("http://[::1]x/", SourceError::Host),
    ("http://example.com:/", SourceError::Port),
    ("http://example.com:0/", SourceError::Port),
    ("http://example.com:65536/", SourceError::Port),
    ("http://example.com:080/", SourceError::Port),
    ("http://example.com:+80/", SourceError::Port),
    ("http://example.com:80:80/", SourceError::Port),
    ("http://[::1]:http/", SourceError::Port),
    ("http:\\\\127.0.0.1\\", SourceError::Character),
    ("http://example.com/a b", SourceError::Character),
    (" http://example.com/", SourceError::Character),
    ("http://example.com/\n", SourceError::Character),
    ("http://exam\tple.com/", SourceError::Character),
    ("http://example.com/\0", SourceError::Character),
    ("http://example.com/\x7f", SourceError::Character),
    ("http://example.com/é", SourceError::Character),
    ("http://①②⑦.0.0.1/", SourceError::Character),
    ("http://example.com/\"<>", SourceError::Character),
    ("http://example.com/#\u{a0}", SourceError::Character),
];

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    for (url, error) in AMBIGUOUS {
        assert_eq!(Source::parse(url), Err(error), "{url:?}");
    }
}

#[test]
fn an_address_may_have_2048_bytes_a_name_253_and_a_label_63() {
    let url = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
    assert!(Source::parse(&url(2048)).is_ok());
    assert_eq!(Source::parse(&url(2049)), Err(SourceError::TooLong));
    let host = |labels: &[usize]| {
        let labels: Vec<String> = labels.iter().map(|length| "a".repeat(*length)).collect();
        Source::parse(&format!("http://{}/", labels.join(".")))
    };
    assert!(host(&[63, 63, 63, 61]).is_ok());
    assert_eq!(host(&[63, 63, 63, 62]), Err(SourceError::Host));
    assert_eq!(host(&[64]), Err(SourceError::Host));
    assert!(Source::parse("http://example.com:1/").is_ok());
    assert!(Source::parse("http://example.com:65535/").is_ok());
}

#[test]
fn every_character_that_is_accepted_can_be_fetched() {
    for byte in 0..=255u8 {
        for place in ["/a{}b", "/?a{}b"] {
            let url = format!("http://example.com{}", place.replace("{}", &char::from(byte).to_string()));
            if let Ok(source) = Source::parse(&url) {
                assert!(source.url().parse::<ureq::http::Uri>().is_ok(), "{url:?}");
            }
        }
    }
}

#[test]
fn a_redirect_is_followed_as_rfc_3986_says() {
    let base = source("https://example.com:8443/a/b/c.jpg?q=1");
    for (location, expected) in [
        ("https://other.example/x", "https://other.example/x"),
        ("HTTP://other.example/x", "http://other.example/x"),
        ("//other.example/x?y", "https://other.example/x?y"),
        ("/x/./y", "https://example.com:8443/x/./y"),
        ("x.jpg", "https://example.com:8443/a/b/x.jpg"),
        ("./x.jpg?y/../z", "https://example.com:8443/a/b/x.jpg?y/../z"),
        ("../x.jpg", "https://example.com:8443/a/x.jpg"),
        ("../../../../x.jpg", "https://example.com:8443/x.jpg"),
        ("..", "https://example.com:8443/a/"),
        (".", "https://example.com:8443/a/b/"),
        ("?z=2", "https://example.com:8443/a/b/c.jpg?z=2"),
        ("", "https://example.com:8443/a/b/c.jpg?q=1"),
        ("#top", "https://example.com:8443/a/b/c.jpg?q=1"),
        ("x:y".trim_start_matches("x:"), "https://example.com:8443/a/b/y"),
        ("y/a:b", "https://example.com:8443/a/b/y/a:b"),
    ] {
        let joined = base.join(location).unwrap_or_else(|error| panic!("{location:?}: {error}"));
        assert_eq!(joined.canonical(), expected, "{location:?}");
    }
    assert_eq!(source("http://example.com").join("x").unwrap().canonical(), "http://example.com/x");
    for location in ["file:///etc/passwd", "x:y", "gopher://a/", "//user@a/", "https:///", "/a b", "\\\\a"] {
        assert!(base.join(location).is_err(), "{location:?}");
    }
}

#[test]
fn the_addresses_that_discogs_gives_for_nothing_are_no_covers() {
    for url in [
        "",
        "  ",
        "https://s.discogs.com/images/spacer.gif",
        "http://api.discogs.com/images/spacer.gif",
        "https://st.discogs.com/0123456789abcdef/images/spacer.gif",
        "https://st.discogs.com/images/default-release.png",
        "https://st.discogs.com/images/default-release-cd.svg?x",
    ] {
        assert!(names_no_cover(url), "{url:?}");
    }
    for url in [
        "https://i.discogs.com/R-1-1193812031.jpeg",
        "https://example.com/spacer.gif/cover.jpg",
        "https://example.com/default-release/cover.jpg",
        "https://example.com/?spacer.gif",
        "https://example.com/nospacer.gif",
    ] {
        assert!(!names_no_cover(url), "{url:?}");
    }
}

#[test]
fn a_log_is_told_which_picture_and_never_what_opens_it() {
    let encoded = "czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTIyMzM4/LTEyMTU5ODQ2MTku/anBlZw.jpeg";
    for (url, told) in [
        (
            format!("https://i.discogs.com/{SIGNATURE}/rs:fit/g:sm/q:90/h:600/w:595/{encoded}"),
            "discogs:R-22338-1215984619.jpeg",
        ),
        (
            format!(
                "https://img.discogs.com/{SIGNATURE}=/fit-in/x/discogs-images/R-22338-1215984619.jpeg.jpg"
            ),
            "discogs:R-22338-1215984619.jpeg",
        ),
        (
            format!("https://i.discogs.com/R-22338-1215984619.jpeg?bucket=b&expiry=1&signature={SIGNATURE}"),
            "discogs:R-22338-1215984619.jpeg",
        ),
        // Not one that has a name of its own: all that is told is whose it is.
        (format!("https://i.discogs.com/{SIGNATURE}/rs:fit/w:595/nonsense.jpeg"), "https://i.discogs.com/"),
        (format!("https://img.discogs.com/{SIGNATURE}=/avatar/U-1.jpg"), "https://img.discogs.com/"),
        (format!("https://I.DISCOGS.com:8443/{SIGNATURE}?a={SIGNATURE}"), "https://I.DISCOGS.com:8443/"),
        (format!("https://example.org/a/b.jpg?signature={SIGNATURE}"), "https://example.org/a/b.jpg"),
        (format!("https://example.org?{SIGNATURE}"), "https://example.org"),
        ("https://example.org/a/b.jpg".to_owned(), "https://example.org/a/b.jpg"),
        ("https://example.org/a?".to_owned(), "https://example.org/a"),
    ] {
        let source = source(&url);
        assert_eq!(source.to_string(), told, "{url}");
        let tail = &url[url.find("://").unwrap() + 3..];
        let path = &tail[tail.find(['/', '?']).unwrap()..];
        for words in
            [format!("bad uri: {url}"), format!("cannot ask for {path} of it"), format!("{url}{url}")]
        {
            assert!(!source.redacted(&words).contains(SIGNATURE), "{}", source.redacted(&words));
        }
    }
}

#[test]
fn a_signed_address_of_discogs_says_how_large_a_picture_it_asks_for() {
    let encoded = "czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTIyMzM4/LTEyMTU5ODQ2MTku/anBlZw.jpeg";
    for (options, side) in [("h:600/w:595", Some(600)), ("h:150/w:150", Some(150)), ("q:90", None)] {
        let url = format!("https://i.discogs.com/{SIGNATURE}/rs:fit/g:sm/{options}/{encoded}");
        assert_eq!(source(&url).asked_side(), side, "{options}");
    }
    let old = source("https://img.discogs.com/x/fit-in/150x150/discogs-images/R-22338-1215984619.jpeg.jpg");
    assert_eq!(old.asked_side(), None);
}

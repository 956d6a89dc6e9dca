//! What reading a file promises: every quirk of the known exports is read right, and a bad line
//! costs only itself and is named. Discogs' records here are made up in the shape of real ones.

use vinylvault::collection::Record;
use vinylvault::collection::import::{ImportError, Place, Reading, read, read_bytes};

const DISCOGS: &str = "Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,CollectionFolder,Date Added,\
                       Collection Media Condition,Collection Sleeve Condition,Collection Notes\r\n";

fn reading(text: &str) -> Reading {
    read_bytes(text.as_bytes(), "albums").unwrap()
}

fn one(text: &str) -> Record {
    let mut reading = reading(text);
    assert_eq!((reading.albums.len(), reading.skipped.len()), (1, 0), "{reading:?}");
    reading.albums.remove(0)
}

fn refusal(bytes: &[u8]) -> String {
    read_bytes(bytes, "albums.csv").unwrap_err().to_string()
}

#[test]
fn a_line_of_a_discogs_export_is_read_with_all_its_quirks() {
    let text = format!(
        "\u{feff}{DISCOGS}none,Justice (3),\"7\"\" Of Love\",Self-Released (2),\"7\"\", EP\",,0,7654321,Punk,\
         2021-06-13 10:49:02,Mint (M),,\"two\r\nlines\"\r\n"
    );
    let album = one(&text);
    assert_eq!((album.artist.as_str(), album.title.as_str()), ("Justice", "7\" Of Love"));
    assert_eq!(album.labels, ["Self-Released"]);
    assert_eq!(album.catalogue_numbers, [""; 0]);
    assert_eq!(album.formats, ["7\", EP"]);
    assert_eq!((album.year, album.rating, album.release_id), (None, None, Some(7654321)));
    assert_eq!(album.folder.as_deref(), Some("Punk"));
    assert_eq!(album.date_added.as_deref(), Some("2021-06-13T17:49:02Z"));
    assert_eq!((album.media_condition.as_deref(), album.sleeve_condition), (Some("Mint (M)"), None));
    assert_eq!(album.notes.as_deref(), Some("two\nlines"));
}

#[test]
fn a_spreadsheet_in_between_does_no_harm() {
    let text = "sep=;\nCATALOG#;artist ;Title;Label;FORMAT;Rating;Released;Release_ID;collectionfolder;date added\n\
                PCS 7067;The Beatles;The Beatles;Apple Records;2xLP, Album, Num + Flexi, 7\";5;1968-11-22;1234567;\
                Uncategorized;31.01.2016 12:34\n;;;;;;;;;\n";
    let album = one(text);
    assert_eq!(album.formats, ["2xLP, Album, Num", "Flexi, 7\""]);
    assert_eq!((album.year, album.rating), (Some(1968), Some(5)));
    assert_eq!(album.date_added.as_deref(), Some("2016-01-31T20:34:00Z"));
}

#[test]
fn custom_fields_of_a_collection_become_notes_under_their_names() {
    let header = DISCOGS.trim_end().to_owned() + ",Collection Originally from\n";
    let album = one(&format!("{header}X 1,A,B,L,LP,,1970,5,F,2020-01-01,,,mine,Granny\n"));
    assert_eq!(album.notes.as_deref(), Some("mine\nOriginally from: Granny"));
}

#[test]
fn numbers_that_tell_artists_apart_are_not_shown_and_years_of_a_title_are_kept() {
    let line = |artist: &str| format!("{DISCOGS}1,{artist},T (2) (1999),L,LP,,,9,F,,,,\n");
    let names = [
        ("Oasis (2)", "Oasis"),
        ("\"Justice (3), Oasis (2) & Others\"", "Justice, Oasis & Others"),
        ("Prince*", "Prince"),
        ("\"Björk*, Sjón\"", "Björk, Sjón"),
        ("Sunn O)))", "Sunn O)))"),
        ("(2)", "(2)"),
        ("Kid (2Pac)", "Kid (2Pac)"),
        ("Blink (182000)", "Blink (182000)"),
    ];
    for (written, shown) in names {
        let album = one(&line(written));
        assert_eq!((album.artist.as_str(), album.title.as_str()), (shown, "T (2) (1999)"));
    }
}

#[test]
fn rows_may_end_early_and_long_ones_are_named() {
    let text = "artist,title,year\nA,one\nB,two,1990,\nC,three,1991,x\nD, Jr.,four,1992,y\nE\nF,six,1993\n";
    let reading = reading(text);
    let titles: Vec<&str> = reading.albums.iter().map(|album| album.title.as_str()).collect();
    assert_eq!(titles, ["one", "two", "three", "six"]);
    let places: Vec<Place> = reading.skipped.iter().map(|line| line.place).collect();
    assert_eq!(places, [Place::Line(5), Place::Line(6)]);
    assert_eq!(reading.skipped[1].to_string(), "line 6: no title by `E`");
}

#[test]
fn an_open_quotation_mark_costs_its_own_line_and_no_other() {
    let text =
        "artist,title,notes\r\nA,one,\r\n\r\nB,\"two,\r\nC,three,\"a\r\nnote, in two lines\"\r\nD,four,\r\n";
    let reading = reading(text);
    let titles: Vec<&str> = reading.albums.iter().map(|album| album.title.as_str()).collect();
    assert_eq!(titles, ["one", "three", "four"]);
    assert_eq!(reading.albums[1].notes.as_deref(), Some("a\nnote, in two lines"));
    assert_eq!(reading.skipped[0].to_string(), "line 4: a quotation mark is opened and never closed");
    assert_eq!(reading.skipped.len(), 1);
}

#[test]
fn a_note_in_lines_that_look_like_rows_is_one_note() {
    let album = one("artist,title,notes\nA,B,\"one, two, three\nfour, five, six\"\n");
    assert_eq!(album.notes.as_deref(), Some("one, two, three\nfour, five, six"));
    let last = reading("artist,title,notes\nA,B,\"open\nC,D,x\nE,F,y\n");
    assert_eq!((last.albums.len(), last.skipped[0].place), (2, Place::Line(2)));
}

#[test]
fn quotation_marks_that_never_close_cannot_make_reading_slow() {
    // Every line opens one, and the next one's is an escape inside it.
    let mut text = "artist,title\n".to_owned();
    for _ in 0..5_000 {
        text.push_str("\"a,\"\"b\"\"\nx,y\n");
    }
    let began = std::time::Instant::now();
    let _ = read_bytes(text.as_bytes(), "albums.csv");
    assert!(began.elapsed().as_secs() < 10);
}

#[test]
fn a_plain_csv_is_read_by_the_names_of_its_columns() {
    let text = "Album Title\tBand\tYear\tLabel\tCat No\tGenres\tStyle\tStars\tDiscogs ID\tShelf\tunknown\n\
                Zombie\tFela Kuti\tJul 1977\tCoconut; Editions Makossa\tPMLP 1005\tFunk / Soul, Folk, World, & Country\t\
                Afrobeat|Afro\t4,5\tr42\tHall\tx\n";
    let album = one(text);
    assert_eq!(
        (album.artist.as_str(), album.title.as_str(), album.year),
        ("Fela Kuti", "Zombie", Some(1977))
    );
    assert_eq!(album.labels, ["Coconut", "Editions Makossa"]);
    assert_eq!(album.catalogue_numbers, ["PMLP 1005"]);
    assert_eq!(album.genres, ["Folk, World, & Country", "Funk / Soul"]);
    assert_eq!(album.styles, ["Afrobeat", "Afro"]);
    assert_eq!((album.rating, album.release_id, album.folder.as_deref()), (Some(5), Some(42), Some("Hall")));
}

#[test]
fn what_cannot_be_understood_is_left_empty_and_told() {
    let reading = reading("artist,title,year,rating,release_id,date_added\nA,B,soon,6,-3,3/4/2020\n");
    let album = &reading.albums[0];
    assert_eq!((album.year, album.rating, album.release_id), (None, None, None));
    assert_eq!(album.date_added, None);
    let told: Vec<String> = reading.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2: year `soon`",
        "line 2: rating (0 to 5) `6`",
        "line 2: release id `-3`",
        "line 2: date added `3/4/2020`",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_page_of_the_api_is_read_as_it_comes() {
    let json = r#"{"pagination": {"page": 1, "pages": 1, "items": 2, "urls": {}}, "releases": [
      {"id": 11, "instance_id": 101, "folder_id": 1, "rating": 0, "date_added": "2025-11-06T22:02:54-08:00",
       "notes": [{"field_id": 1, "value": "Mint (M)"}, {"field_id": 3, "value": "first pressing"}],
       "basic_information": {"id": 11, "title": "...Onderweg", "year": 0,
        "artists": [{"name": "Frank (2)", "anv": "", "join": "&"}, {"name": "Burger / Ink", "anv": "Burger/Ink", "join": ","},
                    {"name": "Third", "anv": "", "join": ""}],
        "labels": [{"name": "100% Records (2)", "catno": "100LP"}, {"name": "100% Records (2)", "catno": "none"}],
        "formats": [{"name": "Vinyl", "qty": "2", "text": "Red", "descriptions": ["LP", "Album"]},
                    {"name": "CD", "qty": "1"}],
        "genres": ["Electronic", "Funk / Soul"], "styles": null, "thumb": "", "cover_image": ""}},
      {"id": 12, "basic_information": {"title": "No artist"}},
      17
    ]}"#;
    let reading = reading(json);
    let album = &reading.albums[0];
    assert_eq!(album.artist, "Frank & Burger/Ink, Third");
    assert_eq!((album.title.as_str(), album.year), ("...Onderweg", None));
    assert_eq!(
        (album.labels.join("+"), album.catalogue_numbers.join("+")),
        ("100% Records".into(), "100LP".into())
    );
    assert_eq!(album.formats, ["2xVinyl, LP, Album, Red", "CD"]);
    assert_eq!(album.genres, ["Electronic", "Funk / Soul"]);
    assert_eq!((album.release_id, album.instance_id, album.rating), (Some(11), Some(101), None));
    assert_eq!(album.date_added.as_deref(), Some("2025-11-07T06:02:54Z"));
    assert_eq!(
        (album.media_condition.as_deref(), album.notes.as_deref()),
        (Some("Mint (M)"), Some("first pressing"))
    );
    let told: Vec<String> = reading.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["item 2: no artist for `No artist`", "item 3: not an object with the fields of an album"]
    );
}

#[test]
fn json_may_be_a_list_an_object_with_a_list_or_one_object_a_line() {
    let album = r#"{"artist": "A", "title": "B", "year": 1999, "genres": ["Jazz"], "labels": [{"name": "L", "catno": "1"}]}"#;
    for json in
        [format!("[{album}]"), format!("{{\"albums\": [{album}], \"version\": 1}}"), format!("{album}\n")]
    {
        let found = one(&json);
        assert_eq!(
            (found.year, found.genres, found.catalogue_numbers),
            (Some(1999), vec!["Jazz".into()], vec!["1".into()])
        );
    }
    assert_eq!(reading(&format!("{album}\n{album}\n")).albums.len(), 2);
}

#[test]
fn json_that_breaks_off_keeps_what_came_before() {
    let reading = reading(r#"[{"artist": "A", "title": "B"}, {"artist": "C", "#);
    assert_eq!((reading.albums.len(), reading.skipped.len()), (1, 1));
    assert_eq!(reading.skipped[0].place, Place::Item(2));
    assert!(matches!(read_bytes(b"[{\"artist\": ", "x.json"), Err(ImportError::Json(_))));
    assert!(matches!(read_bytes("[".repeat(10_000).as_bytes(), "x.json"), Err(ImportError::Json(_))));
}

#[test]
fn a_file_that_is_no_collection_is_refused_with_what_to_do() {
    let inventory =
        b"listing_id,artist,title,label,catno,format,release_id,status,price\n1,A,B,L,C,LP,1,For Sale,9\n";
    assert!(refusal(inventory).contains("inventory"));
    let wantlist =
        b"Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,Notes\nX,A,B,L,LP,,1970,1,\n";
    assert!(refusal(wantlist).contains("wantlist"));
    assert!(read_bytes(b"{\"wants\": []}", "x.json").unwrap_err().to_string().contains("wantlist"));
    assert!(refusal(b"\xff\xfea\0r\0").contains("UTF-16"));
    assert!(refusal(b"artist,title\nA,B\nBj\xf6rk,Debut\n").starts_with("line 3 is not UTF-8"));
    assert!(refusal(b"name,price\nA,3\n").contains("`name`, `price`"));
    assert!(refusal(b"\xef\xbb\xbf \r\n").contains("empty"));
    let endless = std::io::repeat(b'x');
    assert!(matches!(read(endless, "x.csv"), Err(ImportError::TooLarge)));
}

#[test]
fn hostile_text_is_limited_field_by_field() {
    let long = "x".repeat(1_001);
    let reading = reading(&format!(
        "artist,title,folder\nA,{long},\nA,{},\nB\u{0}\u{7}\u{202e}C,D\u{1b}[2J,\nE,F,{}\n",
        &long[1..],
        "y".repeat(201)
    ));
    assert_eq!(reading.skipped[0].to_string(), "line 2: title: 1001 characters, at most 1000 are taken");
    assert_eq!(reading.skipped[1].to_string(), "line 5: folder: 201 characters, at most 200 are taken");
    assert_eq!(reading.albums[0].title.len(), 1_000);
    assert_eq!((reading.albums[1].artist.as_str(), reading.albums[1].title.as_str()), ("BC", "D[2J"));
}

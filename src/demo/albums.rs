//! The records of the demo's shelf: invented artists, titles and labels, each with the sleeve that
//! was chosen for it. A table and its reader; draws nothing and serves nothing.

use super::art::{Design, Palette, Sleeve};

/// One record of the sample collection.
#[derive(Clone, Debug)]
pub struct DemoAlbum {
    pub release_id: i64,
    pub artist: &'static str,
    pub title: &'static str,
    pub year: i32,
    pub label: &'static str,
    pub catalogue_number: &'static str,
    pub formats: Vec<&'static str>,
    pub genres: Vec<&'static str>,
    pub styles: Vec<&'static str>,
    pub folder: &'static str,
    /// 1-5; some records nobody has rated.
    pub rating: Option<u8>,
    /// A day, `2019-04-27`.
    pub date_added: &'static str,
    pub cover: Cover,
}

/// The picture of a record as its origin has it.
#[derive(Clone, Copy, Debug)]
pub struct Cover {
    pub design: Design,
    pub palette: &'static Palette,
    pub seed: u64,
    /// Pixels along a side of the square.
    pub side: u32,
    pub encoding: Encoding,
    pub manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    BaselineJpeg,
    ProgressiveJpeg,
    Png,
}

/// How the origin behaves when asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Prompt,
    /// Answers late, as a busy server does.
    Slow,
    /// Answers that there is no such picture.
    Missing,
    /// Sends a file that was cut off inside its header, long ago.
    Broken,
}

/// The whole shelf in alphabetical order; the same one every time.
pub fn albums() -> Vec<DemoAlbum> {
    let mut albums: Vec<DemoAlbum> = Vec::new();
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let mut album = read(row).expect("every row of the table is whole (a test reads it)");
        // A second copy of a pressing is the same release with the same picture.
        let first = albums.iter().find(|other| other.catalogue_number == album.catalogue_number);
        album.release_id = first.map_or(FIRST_RELEASE + albums.len() as i64, |first| first.release_id);
        albums.push(album);
    }
    albums
}

impl DemoAlbum {
    /// The path of its cover at the origin.
    pub fn path(&self) -> String {
        let ending = if self.cover.encoding == Encoding::Png { "png" } else { "jpg" };
        format!("/sleeves/{}.{ending}", self.release_id)
    }

    pub fn sleeve(&self) -> Sleeve<'_> {
        let Cover { design, palette, seed, .. } = self.cover;
        Sleeve { design, palette, seed, artist: self.artist, title: self.title }
    }
}

/// Far above what Discogs has given out, so that no real record is named.
const FIRST_RELEASE: i64 = 900_000_001;

fn read(row: &'static str) -> Option<DemoAlbum> {
    let columns: Vec<&'static str> = row.split('|').map(str::trim).collect();
    let [artist, title, year, label, number, formats, genres, styles, folder, rating, added, sleeve, file] =
        columns[..]
    else {
        return None;
    };
    let list = |text: &'static str| text.split(';').map(str::trim).collect();
    Some(DemoAlbum {
        release_id: 0,
        artist,
        title,
        year: year.parse().ok()?,
        label,
        catalogue_number: number,
        formats: list(formats),
        genres: list(genres),
        styles: list(styles),
        folder,
        rating: if rating == "-" { None } else { Some(rating.parse().ok()?) },
        date_added: added,
        cover: cover(number, sleeve, file)?,
    })
}

/// `design palette [throw of the dice]` and `side [progressive|png] [slow|missing|broken]`.
fn cover(number: &str, sleeve: &str, file: &str) -> Option<Cover> {
    let mut sleeve = sleeve.split(' ');
    let design = Design::named(sleeve.next()?)?;
    let palette = Palette::named(sleeve.next()?)?;
    let throw: u64 = sleeve.next().unwrap_or("0").parse().ok()?;
    let mut words = file.split(' ');
    let side = words.next()?.parse().ok()?;
    let (mut encoding, mut manner) = (Encoding::BaselineJpeg, Manner::Prompt);
    for word in words {
        match word {
            "progressive" => encoding = Encoding::ProgressiveJpeg,
            "png" => encoding = Encoding::Png,
            "slow" => manner = Manner::Slow,
            "missing" => manner = Manner::Missing,
            "broken" => manner = Manner::Broken,
            _ => return None,
        }
    }
    Some(Cover { design, palette, seed: seed(number) ^ throw, side, encoding, manner })
}

/// FNV-1a: any spread will do, as long as it never changes.
fn seed(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Artist, title, year, label, catalogue number, formats, genres, styles, folder, rating, day added,
/// sleeve, file. A `;` parts what is several.
const TABLE: &str = "
Ada Quillfeather Trio | Left-Handed Blues | 1959 | Halyard | HAL 1511 | LP, Album, Mono | Jazz | Hard Bop; Cool Jazz | Jazz | 5 | 2014-03-02 | circles mustard | 3000
Aerodrome Choir | Runways at Dusk | 1981 | Cold Harbour | CH 7 | LP, Album | Electronic | Ambient; Minimal | Ambient | 4 | 2018-11-20 | horizon violet | 600 progressive
Amina Sankoré | Le Fleuve Sans Retour | 1974 | Disques Baobab | DB 3022 | LP, Album | Folk, World, & Country | Afrobeat; Highlife | World | 5 | 2021-06-14 | leaves ember | 600
Archipelago 9 | Tape Loops for Lighthouses | 1979 | Nordlicht | NL 041 | LP, Album | Electronic | Krautrock; Berlin-School | Krautrock | 4 | 2016-01-30 | contours midnight | 600
Aunt Velocity | Motor Sonata | 1977 | Fernweh | FW 12 | LP, Album | Rock | Krautrock; Motorik | Krautrock | 5 | 2012-09-08 | stripes ember | 1500 progressive
Bakerloo Sound Clash | Heavyweight in Four Dimensions | 1978 | Tin Roof | TR-LP 02 | LP, Album | Reggae | Dub; Roots Reggae | Dub | 5 | 2013-05-11 | speakers cobalt | 600
Basalt | Hexagons | 1998 | Lodestone | LS 019 | 2xLP, Album | Electronic | Techno; Minimal | Electronic | 3 | 2019-02-17 | mosaic slate | 600
Bees in the Organ Loft | Pipes and Honey | 1969 | Partridge | PTR 404 | LP, Album, Stereo | Rock | Psychedelic Rock; Baroque Pop | Rock | 4 | 2020-08-01 | marble mustard | 600
Bellwether & Daughters | The Hare on the Hill | 1971 | Thornfield | THO 8 | LP, Album | Folk, World, & Country | Folk; Acoustic | Folk | 4 | 2015-10-04 | ridges forest | 600 slow
Blue Ladder Quartet | Eleven Rungs | 1961 | Halyard | HAL 1544 | LP, Album, Stereo | Jazz | Post Bop; Modal | Jazz | 5 | 2014-03-02 | keys cobalt | 600
Brass Monsoon | Saturday All Week | 1976 | Golden Mango | GM 1107 | LP, Album | Funk / Soul | Funk; Brass Band | Soul & Funk | 4 | 2017-07-22 | sunburst ember | 600
Café Longitude | Bossa for Absent Friends | 1964 | Ipanema Norte | IN 2009 | LP, Album, Mono | Latin; Jazz | Bossa Nova | World | 4 | 2018-04-09 | faces mint | 600
Captain Sundial | Noon Patrol | 1973 | Fernweh | FW 5 | LP, Album, Gatefold | Rock | Space Rock; Prog Rock | Rock | 3 | 2012-12-12 | planet plum | 600 progressive
Cassette Weather | Drizzle, Later Bright | 2019 | Spare Room | SPARE 23 | LP, Album, Clear | Electronic | Lo-Fi; Downtempo | Electronic | 4 | 2022-01-15 | clouds arctic | 600
Chalk Outlines | Nervous Architecture | 1980 | Ratio | RAT 3 | LP, Album | Rock | Post-Punk; New Wave | Post-Punk | 5 | 2011-06-19 | pulses noir | 600
Clementine Varga | Études for Empty Rooms | 2011 | Stillwerk | STW 04 | LP, Album | Classical | Modern Classical; Solo Piano | Classical | 5 | 2016-02-28 | vessels sand | 600
Corner Shop Symphony | Exact Change Only | 1994 | Pavement & Sons | PS 77 | 2xLP, Album | Hip Hop | Boom Bap; Jazzy Hip-Hop | Hip Hop | 4 | 2019-09-13 | skyline violet | 600
Deep Sea Post Office | Letters to the Trench | 2007 | Abyssal | ABY 11 | 2xLP, Album | Electronic | Ambient; Drone | Ambient | 4 | 2020-11-07 | waves lagoon | 600 slow
Delphine Amour | Après la Pluie | 1967 | Disques Parasol | DP 160 | LP, Album | Pop | Chanson; Yé-Yé | Pop | 4 | 2015-05-23 | halftone cherry | 600
Doctor Parallax | Dub from the Third Basement | 1982 | Tin Roof | TR-LP 19 | LP, Album | Reggae | Dub | Dub | 5 | 2013-05-11 | company olive | 600
Eider Down | Soft Machines for Sleep | 2014 | Stillwerk | STW 17 | LP, Album | Electronic | Ambient | Ambient | 3 | 2021-03-21 | enso lagoon | 600
Electric Pantry | Who Moved the Salt? | 1985 | Ratio | RAT 31 | 12\", 45 RPM, Single | Electronic | Synth-Pop | Singles | 3 | 2010-10-10 | refrain neon | 300
Elsa Järvinen | Kaamos | 1996 | Pohjola Jazz | PJ 9602 | LP, Album | Jazz | Contemporary Jazz | Jazz | 5 | 2017-12-06 | ridges arctic | 600
Fathom & Sons | Salt Songs | 1958 | Thornfield | THO 1 | 10\", LP, Mono | Folk, World, & Country | Sea Shanties; Folk | Folk | 3 | 2019-08-18 | waves slate | 600
Felt Tip Pandemonium | Colouring Outside | 1988 | Small Wonders | SW 15 | LP, Album | Rock | Indie Rock; Jangle Pop | Rock | 4 | 2014-11-29 | strokes cobalt | 600
Fever Almanac | January Through Never | 2003 | Lodestone | LS 055 | 2xLP, Album | Electronic | IDM; Glitch | Electronic | 4 | 2018-07-07 | weave plum | 600
Gaslight Parliament | Order! Order! | 1979 | Ratio | RAT 1 | 7\", 45 RPM, EP | Rock | Post-Punk; Punk | Singles | 4 | 2011-06-19 | swiss cherry | 300
Geometry Club | The Compass and the Drum | 1972 | Fernweh | FW 2 | LP, Album | Rock | Krautrock; Experimental | Krautrock | 5 | 2012-09-08 | opart ember | 600 progressive
Hal Pemberton | After Hours at the Aquarium | 1956 | Halyard | HAL 1502 | LP, Album, Mono | Jazz | Cool Jazz; West Coast Jazz | Jazz | 4 | 2014-03-09 | bauhaus cobalt | 1500
Harmonium Repair Co. | Bellows | 2016 | Spare Room | SPARE 9 | LP, Album | Folk, World, & Country | Drone; Folk | Folk | 3 | 2022-05-05 | strings forest | 600
Hiroshi Amagawa | 雨の路地 | 1983 | Kissa Works | KW-8303 | LP, Album, Obi | Electronic; Jazz | City Pop; Jazz-Funk | Japan | 5 | 2020-02-02 | skyline midnight 1 | 600
Honeydew Express | Last Train to Tenderness | 1975 | Golden Mango | GM 1090 | LP, Album | Funk / Soul | Soul; Philly Soul | Soul & Funk | 5 | 2017-07-22 | stripes peach | 600
Ида Ветрова | Полярный день | 1978 | Мелодика Севера | С60-0917 | LP, Album, Stereo | Electronic; Classical | Modern Classical | Classical | 4 | 2021-10-10 | horizon arctic | 600
Impossible Staircase | Down Is Up | 1970 | Partridge | PTR 433 | LP, Album, Gatefold | Rock | Prog Rock; Canterbury Scene | Rock | 4 | 2016-06-06 | mosaic cobalt | 600
Inkwell Riots | Blot | 1992 | Small Wonders | SW 40 | LP, Album | Rock | Shoegaze; Noise | Rock | 4 | 2015-01-17 | clouds rose | 600 progressive
Isolde Marchetti | Nocturnes, Book II | 1962 | Accademia | ACC 5012 | LP, Stereo | Classical | Romantic; Solo Piano | Classical | 5 | 2013-10-26 | harmonograph midnight | 600
Jackdaw Assembly | Shiny Things | 2012 | Thornfield | THO 61 | LP, Album, Reissue | Folk, World, & Country | Folk; Psych Folk | Folk | 3 | 2019-03-03 | terrazzo forest | 600
Jasper & the Late Returns | Overdue | 1966 | Partridge | PTR 310 | LP, Album, Mono | Rock | Garage Rock; Beat | Rock | 4 | 2010-05-30 | refrain acid | 600
Juniper Static | Hedge Frequencies | 2009 | Abyssal | ABY 18 | LP, Album | Electronic | Field Recording; Ambient | Ambient | 3 | 2018-09-01 | contours mint 2 | 600
Kestrel Motorworks | Knock Sensor | 1984 | Nordlicht | NL 077 | 12\", 33 RPM, EP | Electronic | EBM; Minimal Wave | Singles | 4 | 2016-01-30 | swiss mint | 600
King Semitone | Fire on the Flat Side | 1977 | Tin Roof | TR-LP 01 | LP, Album | Reggae | Roots Reggae | Dub | 5 | 2013-05-18 | sunburst forest | 600
Kombinat Süd | Schichtwechsel | 1975 | Fernweh | FW 9 | LP, Album | Electronic | Krautrock; Industrial | Krautrock | 4 | 2012-09-15 | weave mustard | 600
La Orquesta Invisible | Mambo Sin Cuerpo | 1957 | Tropicoro | TCL 88 | LP, Album, Mono | Latin | Mambo; Cha-Cha | World | 4 | 2018-04-16 | circles cherry | 600 png
Lantern Ministry | Hymns for a Power Cut | 2005 | Abyssal | ABY 04 | LP, Album | Electronic; Folk, World, & Country | Drone; Modern Classical | Ambient | 4 | 2020-11-07 | enso noir | 600
Lowercase Giants | e | 2001 | Lodestone | LS 044 | 12\", EP | Electronic | Microhouse; Minimal Techno | Electronic | 3 | 2018-07-14 | company neon | 600
Magda Zielińska | Sonaty na Deszcz | 1965 | Wisła Records | XL 0217 | LP, Album | Jazz; Classical | Contemporary Jazz | Jazz | 4 | 2017-12-13 | vessels midnight | 600
Marmalade Skyline | Toast the Morning | 1968 | Partridge | PTR 388 | LP, Album, Stereo | Rock; Pop | Psychedelic Rock; Sunshine Pop | Rock | 5 | 2010-05-30 | marble peach | 600
Mezzanine Five | Between Two Floors | 1963 | Halyard | HAL 1571 | LP, Album, Stereo | Jazz | Modal; Hard Bop | Jazz | 5 | 2014-04-20 | destijl midnight | 600
Midnight Allotment | Marrow | 1991 | Small Wonders | SW 33 | LP, Album | Rock | Slowcore; Indie Rock | Rock | 3 | 2015-01-24 | leaves forest | 600
Moth Cathedral | Dust Psalms | 2018 | Stillwerk | STW 29 | 2xLP, Album | Electronic | Dark Ambient; Drone | Ambient | 4 | 2022-10-31 | harmonograph plum | 600 slow
Mr. Umbra | Eclipse Etiquette | 1999 | Pavement & Sons | PS 112 | 2xLP, Album | Hip Hop | Abstract; Instrumental | Hip Hop | 5 | 2019-09-13 | planet noir | 600
Neon Pelican | Coastal Arcade | 1986 | Vista Drive | VD 86 | LP, Album | Electronic | Synth-Pop; Italo-Disco | Pop | 4 | 2016-08-13 | horizon neon | 600
Night Bus Philosophers | N38 | 2006 | Pavement & Sons | PS 140 | 12\", 45 RPM | Electronic | Dubstep; UK Garage | Singles | 4 | 2019-11-11 | skyline cobalt | 600
Odd Socks Orchestra | The Complete and Entirely Unabridged Account of What the Washing Machine Said to the Moon, with Seven Diversions for Clarinet, Spoons and Regret, Recorded in One Take before the Neighbours Came Home | 1974 | Partridge | PTR 500 | 2xLP, Album, Gatefold | Rock; Jazz | Avantgarde; Canterbury Scene | Rock | 4 | 2016-06-06 | broadside mustard | 600
Opal Fountain | Everything You Gave Me Grew | 1971 | Golden Mango | GM 1015 | LP, Album | Funk / Soul | Soul; Gospel | Soul & Funk | 5 | 2017-07-29 | leaves peach 3 | 600
Opal Fountain | Everything You Gave Me Grew | 1971 | Golden Mango | GM 1015 | LP, Album | Funk / Soul | Soul; Gospel | Sealed copies | - | 2023-04-22 | leaves peach 3 | 600
Otto Brandauer | Streichquartett Nr. 3 | 1969 | Accademia | ACC 5101 | LP, Stereo | Classical | Contemporary; Chamber Music | Classical | 3 | 2013-10-26 | strings slate | 600
Paper Lantern Riot | Folded Twice | 1983 | Ratio | RAT 22 | LP, Album | Rock | Post-Punk; Art Rock | Post-Punk | 4 | 2011-07-03 | bauhaus noir | 600 png
Parallel Fifths | Forbidden Intervals | 1987 | Accademia | ACC 7003 | LP, Album | Classical; Electronic | Minimalism | Classical | 4 | 2013-11-02 | opart midnight | 600
Pocket Observatory | 88 Moons | 2015 | Vista Drive | VD 215 | 2xLP, Album | Electronic | Space Ambient; Berlin-School | Electronic | 5 | 2021-12-24 | planet violet | 3000 progressive
Quorum of Gardeners | Mulch | 1995 | Spare Room | SPARE 1 | 7\", 45 RPM, Single | Rock | Lo-Fi; Indie Rock | Singles | 3 | 2010-10-17 | strokes olive | 300 progressive
Ravi Chandrasekhar | Evening Raga for Two Rivers | 1968 | Saptak | SPT 1204 | LP, Stereo | Folk, World, & Country | Hindustani; Raga | World | 5 | 2021-06-21 | marble plum | 600
Rosalind Okafor | Paper Crowns | 1973 | Golden Mango | GM 1052 | LP, Album | Funk / Soul | Soul; Deep Funk | Soul & Funk | 5 | 2017-08-05 | faces ember | 1500
Salon des Machines | Mécanique Douce | 1982 | Disques Parasol | DP 311 | LP, Album | Electronic | Coldwave; Minimal Wave | Post-Punk | 4 | 2015-06-06 | destijl cobalt | 600
Seven League Slippers | Indoor Voyages | 1972 | Thornfield | THO 14 | LP, Album | Folk, World, & Country | Psych Folk | Folk | 4 | 2015-10-11 | birds forest | 600
Sir Reginald Bassline | Tea & Distortion | 1996 | Pavement & Sons | PS 90 | 12\", 45 RPM | Electronic | Drum n Bass; Jungle | Singles | 4 | 2019-11-18 | speakers acid | 600
Sólveig Hrafnsdóttir | Ljósið í Hrauninu | 2010 | Nordlicht | NL 203 | LP, Album, White | Classical; Electronic | Modern Classical; Ambient | Ambient | 5 | 2022-12-21 | ridges rose | 600
Spindle & Thrift | Second-Hand Sundays | 2002 | Spare Room | SPARE 4 | LP, Album | Electronic | Downtempo; Trip Hop | Electronic | 4 | 2018-07-21 | terrazzo peach | 600
Tango Meridiano | Medianoche en Punto | 1960 | Tropicoro | TCL 140 | LP, Album, Stereo | Latin | Tango | World | 4 | 2018-05-01 | swiss noir | 600
The Understudies | <b>Bold</b> & \"Quoted\" | 1980 | Ratio | RAT 4 | LP, Album | Rock | Post-Punk; Art Rock | Post-Punk | 4 | 2011-07-03 | refrain cobalt | 600
Thelma Birdsong | Wide Awake at the Blue Door Café | 1957 | Halyard | HAL 1508 | LP, Album, Mono | Jazz | Vocal; Swing | Jazz | 5 | 2014-03-16 | keys plum | 600
Tidewater Relay | Signal from a Lower Town | 2013 | Lodestone | LS 101 | 2xLP, Album | Electronic | Dub Techno; Deep House | Dub | 5 | 2020-06-27 | pulses lagoon | 600
Transistor Picnic | Batteries Not Included | 1984 | Vista Drive | VD 12 | LP, Album | Electronic; Pop | Synth-Pop | Pop | 4 | 2016-08-13 | strings neon | 600
Ulla & the Undertow | Havsmusik för Inomhusbruk | 1976 | Pohjola Jazz | PJ 7605 | LP, Album | Jazz; Folk, World, & Country | Jazz-Rock; Fusion | Jazz | 4 | 2017-12-20 | waves midnight 2 | 600
Umber Hall | Live Behind the Curtain | 1970 | Thornfield | THO 5 | LP, Album | Folk, World, & Country | Folk; Acoustic | Folk | 3 | 2015-10-18 | birds clay | 600
Velvet Ordnance | Slow Explosions | 2017 | Abyssal | ABY 30 | 2xLP, Album | Rock | Post Rock; Ambient | Rock | 4 | 2021-08-08 | clouds ember | 600
Vera Lomax & Her Cartographers | Here Be Dragons | 1964 | Halyard | HAL 1590 | LP, Album, Stereo | Jazz | Free Jazz; Avant-garde Jazz | Jazz | 4 | 2014-05-04 | contours ember | 600
Walnut Street Irregulars | Stoop Science | 1993 | Pavement & Sons | PS 61 | LP, Album | Hip Hop | Boom Bap; Conscious | Hip Hop | 5 | 2019-09-20 | faces violet | 600
Wolfgang Trautmann | Musik für Rolltreppen | 1980 | Nordlicht | NL 052 | LP, Album | Electronic | Ambient; Minimal | Ambient | 4 | 2016-02-06 | weave lagoon | 600
Xylophone Weather Service | Outlook: Bright | 1965 | Tropicoro | TCL 201 | LP, Album, Stereo | Jazz; Latin | Easy Listening; Space-Age | Pop | 3 | 2018-05-08 | birds peach | 600
Yesterday's Robots | Please Hold | 1983 | Vista Drive | VD 9 | 12\", 45 RPM, Single | Electronic | Electro | Singles | 4 | 2016-08-20 | company cobalt | 600
Zanzibar Telegraph | Stop. Stop. Stop. | 1981 | Tin Roof | TR-LP 15 | LP, Album | Reggae | Ska; Dub | Dub | 4 | 2013-06-01 | opart noir | 600 missing
Zinnia Blackwood | The Gardener's Ghost | 1975 | Thornfield | THO 22 | LP, Album | Folk, World, & Country | Folk; Psych Folk | Folk | 4 | 2015-10-25 | ridges plum | 600 broken
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_shelf_has_something_for_everyone_and_every_row_is_read() {
        let albums = albums();
        assert_eq!(albums.len(), TABLE.lines().filter(|row| row.contains('|')).count());
        assert!(albums.len() >= 72);
        let genres: BTreeSet<&str> = albums.iter().flat_map(|album| album.genres.clone()).collect();
        assert!(genres.len() >= 9, "{genres:?}");
        assert!(albums.iter().all(|album| (1956..=2024).contains(&album.year)));
        assert!(albums.iter().all(|album| album.rating.is_none_or(|rating| (1..=5).contains(&rating))));
        assert!(albums.iter().any(|album| album.title.len() > 150));
        assert!(albums.iter().any(|album| album.title.contains("<b>") && album.title.contains('"')));
        assert!(albums.iter().any(|album| !album.artist.is_ascii()));
    }

    #[test]
    fn every_design_is_on_the_shelf() {
        let shown: BTreeSet<&str> = albums().iter().map(|album| album.cover.design.name()).collect();
        let drawn: BTreeSet<&str> = Design::ALL.iter().map(|design| design.name()).collect();
        assert_eq!(shown, drawn);
    }

    #[test]
    fn the_origins_of_the_world_are_all_there() {
        let count =
            |wanted: &dyn Fn(&Cover) -> bool| albums().iter().filter(|album| wanted(&album.cover)).count();
        assert_eq!(count(&|cover| cover.manner == Manner::Missing), 1);
        assert_eq!(count(&|cover| cover.manner == Manner::Broken), 1);
        assert!(count(&|cover| cover.manner == Manner::Slow) >= 2);
        assert!(count(&|cover| cover.encoding == Encoding::ProgressiveJpeg) >= 4);
        assert!(count(&|cover| cover.encoding == Encoding::Png) >= 2);
        assert_eq!(count(&|cover| cover.side == 3000), 2);
        assert!(albums().iter().all(|album| (300..=3000).contains(&album.cover.side)));
    }

    #[test]
    fn two_copies_of_a_pressing_share_a_release_and_a_picture_and_nothing_else_does() {
        let albums = albums();
        let releases: BTreeSet<i64> = albums.iter().map(|album| album.release_id).collect();
        assert_eq!(releases.len(), albums.len() - 1);
        let copies: Vec<&DemoAlbum> =
            albums.iter().filter(|album| album.title.starts_with("Everything You")).collect();
        assert_eq!(copies.len(), 2);
        assert_eq!(copies[0].path(), copies[1].path());
        assert_ne!(copies[0].date_added, copies[1].date_added);
        let paths: BTreeSet<String> = albums.iter().map(DemoAlbum::path).collect();
        assert_eq!(paths.len(), releases.len());
    }

    #[test]
    fn a_row_that_is_cut_short_or_misspelt_is_not_read() {
        let row = "A | B | 1970 | C | D 1 | LP | Jazz | Bop | Jazz | 5 | 2014-03-02 | circles ember | 600";
        assert!(read(row).is_some());
        assert!(read("A | B | 1970 | C | D 1 | LP | Jazz").is_none());
        for misspelt in
            ["squares ember | 600", "circles umber | 600", "circles ember | big", "circles ember | 600 odd"]
        {
            let wrong = row.replace("circles ember | 600", misspelt);
            assert!(read(wrong.leak()).is_none(), "{misspelt}");
        }
    }
}

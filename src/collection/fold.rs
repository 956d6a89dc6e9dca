//! How names are compared: folded to lower case without accents for search and identity, and
//! without a leading article for sorting. Owns no storage; changes to it need a new schema,
//! because folded text is stored.

/// Lower case, Latin letters without accents, typographic quotes as plain ones, runs of white
/// space as one blank. Other scripts are only lower-cased.
///
/// ```
/// use vinylvault::collection::fold::fold;
/// assert_eq!(fold("  Sigur  Rós"), "sigur ros");
/// assert_eq!(fold("MOTÖRHEAD – Ænima"), "motorhead - aenima");
/// ```
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.trim().chars().flat_map(char::to_lowercase) {
        match character {
            // Combining marks: what is left of an accent that came decomposed.
            '\u{300}'..='\u{36f}' => {}
            character if character.is_whitespace() => {
                if !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            character => push_plain(&mut folded, character),
        }
    }
    folded
}

/// The folded name under which a record stands on the shelf: without a leading article ("The
/// Beatles" and "Beatles, The" stand under B) and without leading punctuation ("...Onderweg"
/// stands under O).
///
/// ```
/// use vinylvault::collection::fold::sort_key;
/// assert_eq!(sort_key("The Beatles"), "beatles");
/// assert_eq!(sort_key("The The"), "the");
/// assert_eq!(sort_key("...Onderweg"), "onderweg");
/// assert_eq!(sort_key("!!!"), "!!!");
/// ```
pub fn sort_key(name: &str) -> String {
    let folded = fold(name);
    let bare = folded.trim_start_matches(|character: char| !character.is_alphanumeric());
    let bare = if bare.is_empty() { folded.as_str() } else { bare };
    let bare = bare.strip_prefix("the ").unwrap_or(bare);
    bare.strip_suffix(", the").unwrap_or(bare).to_owned()
}

/// Latin-1 and Latin Extended-A in lower case, the letters that names on sleeves are made of.
fn push_plain(folded: &mut String, character: char) {
    let plain = match character {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' | 'ð' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        '‘' | '’' | 'ʼ' | '`' | '´' => '\'',
        '“' | '”' | '„' | '″' => '"',
        '‐'..='―' | '−' => '-',
        'æ' => return folded.push_str("ae"),
        'œ' => return folded.push_str("oe"),
        'ß' => return folded.push_str("ss"),
        'þ' => return folded.push_str("th"),
        other => other,
    };
    folded.push(plain);
}

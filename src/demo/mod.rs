//! The demo's records: an invented shelf ([`mod@albums`]), its generated sleeves ([`art`], pressed into
//! picture files by [`press`]) and an origin on loopback that serves them ([`origin`]), so that
//! `vinylvault demo` runs the real pipeline without the Internet. [`run`] passes [`to_import`]
//! through the same door as anybody's file and then is a server like any other.

pub mod albums;
pub mod art;
pub mod origin;
pub mod press;
mod show;

pub use albums::{DemoAlbum, albums};
pub use origin::DemoOrigin;
pub use show::{DemoError, run};

use serde_json::{Value, json};

/// The shelf in the shape that `vinylvault import` takes, each cover at its address at the origin.
pub fn to_import(albums: &[DemoAlbum], origin: &DemoOrigin) -> Value {
    albums.iter().map(|album| entry(album, origin)).collect()
}

fn entry(album: &DemoAlbum, origin: &DemoOrigin) -> Value {
    let mut entry = json!({
        "release_id": album.release_id,
        "artist": album.artist,
        "title": album.title,
        "year": album.year,
        "label": album.label,
        "catno": album.catalogue_number,
        "format": album.formats,
        "genre": album.genres,
        "style": album.styles,
        "folder": album.folder,
        "date_added": album.date_added,
        "cover_url": origin.url_of(album),
    });
    if let Some(rating) = album.rating {
        entry["rating"] = json!(rating);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shelf_can_be_imported_and_every_cover_has_an_address_at_the_origin() {
        let (albums, origin) = (albums(), DemoOrigin::start().unwrap());
        let import = to_import(&albums, &origin);
        let entries = import.as_array().unwrap();
        assert_eq!(entries.len(), albums.len());
        let home = format!("http://{}/sleeves/", origin.address());
        for (entry, album) in entries.iter().zip(&albums) {
            assert!(entry["cover_url"].as_str().unwrap().starts_with(&home), "{entry}");
            assert_eq!(entry["artist"], album.artist);
            assert_eq!(entry["genre"].as_array().unwrap().len(), album.genres.len());
            assert_eq!(entry.get("rating").is_some(), album.rating.is_some());
        }
    }
}

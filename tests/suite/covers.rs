//! What a browser is told about a cover: bytes, headers, validators, the JPEG twin, the placeholder.

use crate::stage::{address_of, assert_cover, origin, settings, stand_in};
use crate::support::origin::{Script, pictures};
use crate::support::vault::Vault;

#[test]
fn a_cover_travels_from_its_url_to_the_browser_with_every_header() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let first = vault.get(&address);
    assert_cover(&first);
    assert_eq!(first.header("cache-status"), Some("VinylVault; fwd=miss; stored"));
    let hit = vault.get(&address);
    assert_cover(&hit);
    assert_eq!(hit.body, first.body);
    assert_eq!(hit.header("cache-status"), Some("VinylVault; hit; detail=memory"));
    assert_eq!(hit.header("content-type"), Some("image/webp"));
    assert_eq!(hit.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(hit.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert_eq!(hit.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(hit.header("cache-control"), Some("public, max-age=86400, stale-while-revalidate=604800"));
    assert_eq!(hit.header("content-length"), Some(hit.body.len().to_string().as_str()));
    assert_eq!(hit.header("transfer-encoding"), None);
    let tag = hit.header("etag").unwrap();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is a strong validator");
    let size = image::load_from_memory(&hit.body).unwrap();
    assert_eq!((size.width(), size.height()), (600, 600));
}

#[test]
fn one_download_feeds_both_variants() {
    let origin = origin();
    let vault = settings(&origin).start();
    let thumbnail = vault.get(&address_of(&vault, &origin.url("/cover.jpg"), "thumbnails"));
    assert_cover(&thumbnail);
    let detail = vault.get(&address_of(&vault, &origin.url("/cover.jpg"), "detail"));
    assert_cover(&detail);
    assert_eq!(image::load_from_memory(&thumbnail.body).unwrap().width(), 150);
    assert_eq!(image::load_from_memory(&detail.body).unwrap().width(), 600);
    assert_eq!(origin.hits("/cover.jpg"), 1);
}

#[test]
fn after_a_restart_a_cover_comes_from_disk_and_nobody_is_asked() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let before = vault.get(&address);
    assert_cover(&before);
    vault.restart();
    let after = vault.get(&address);
    assert_eq!(after.header("cache-status"), Some("VinylVault; hit; detail=disk"));
    assert_eq!(after.body, before.body);
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(origin.hits("/cover.jpg"), 1);
}

#[test]
fn with_the_origin_gone_everything_cached_is_served() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    drop(origin);
    assert_cover(&vault.get(&address));
    vault.restart();
    assert_cover(&vault.get(&address));
}

#[test]
fn a_browser_that_has_the_cover_is_told_so_in_every_spelling_of_its_tag() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "thumbnails");
    let cover = vault.get(&address);
    let tag = cover.header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let reply = vault.request("GET", &address, &[("If-None-Match", &known)], b"");
        assert_eq!(reply.status, 304, "{known}");
        assert_eq!(reply.header("etag"), Some(tag.as_str()));
        assert_eq!(reply.header("content-length"), None, "a 304 has no body to measure");
        assert!(reply.header("cache-control").is_some());
    }
    let stale = vault.request("GET", &address, &[("If-None-Match", "\"other\"")], b"");
    assert_cover(&stale);
}

#[test]
fn head_is_get_without_the_body() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "thumbnails");
    let get = vault.get(&address);
    let head = vault.head(&address);
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("etag"), get.header("etag"));
    assert!(head.body.is_empty());
}

#[test]
fn an_address_with_the_version_of_the_pages_is_kept_for_ever_and_no_other_is() {
    let origin = origin();
    let vault = settings(&origin).start();
    let url = origin.url("/cover.jpg");
    vault.import(&serde_json::json!([{ "artist": "A", "title": "T", "cover_url": url }]));
    let page = vault.get("/").text();
    let start = page.find("/cache/thumbnails/").expect("the page shows the cover");
    let address = page[start..].split('"').next().unwrap().replace("&amp;", "&");
    assert!(address.contains("?v="), "{address}");
    let reply = vault.get(&address);
    assert_cover(&reply);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let wrong = format!("{}?v=00000000", address.split('?').next().unwrap());
    let reply = vault.get(&wrong);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=86400, stale-while-revalidate=604800"));
}

#[test]
fn a_static_file_is_kept_for_ever_under_its_own_version_only() {
    let vault = Vault::start();
    let page = vault.get("/").text();
    let start = page.find("/static/app.css?v=").expect("the page has a style");
    let address = page[start..].split('"').next().unwrap();
    let keep = |target: &str| vault.get(target).header("cache-control").unwrap().to_owned();
    assert_eq!(keep(address), "public, max-age=31536000, immutable");
    // The page of a newer release, answered by an older one: not even for an hour.
    assert_eq!(keep("/static/app.css?v=0123456789abcdef"), "no-cache");
    assert_eq!(keep("/static/app.css"), "public, max-age=3600");
}

#[test]
fn a_browser_without_webp_gets_the_same_picture_as_jpeg() {
    let origin = origin();
    let vault = settings(&origin).start();
    let webp = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let jpeg = webp.replace(".webp", ".jpg");
    // The very first request may be for the twin.
    for _ in 0..2 {
        let reply = vault.get(&jpeg);
        assert_eq!((reply.status, stand_in(&reply)), (200, None));
        assert_eq!(reply.header("content-type"), Some("image/jpeg"));
        let picture = image::load_from_memory_with_format(&reply.body, image::ImageFormat::Jpeg).unwrap();
        assert_eq!(picture.width(), 600);
        assert_ne!(reply.header("etag"), vault.get(&webp).header("etag"));
    }
    assert_eq!(origin.hits("/cover.jpg"), 1);
}

#[test]
fn a_key_that_nobody_registered_is_not_found() {
    let vault = Vault::start();
    let reply = vault.get("/cache/thumbnails/2b3792e1b1b14f49ef5c1e1d3b0a5a4f8a1b0c35.webp");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn nothing_below_cache_but_covers_and_placeholders_can_be_named() {
    let vault = Vault::start();
    let key = "2b3792e1b1b14f49ef5c1e1d3b0a5a4f8a1b0c35";
    for target in [
        "/cache/../vinylvault.db".to_owned(),
        "/cache/index.db".to_owned(),
        "/cache/covers/detail/2b/x.webp".to_owned(),
        "/cache/thumbnails/..%2f..%2findex.db".to_owned(),
        "/cache/thumbnails/%2e%2e/%2e%2e/vinylvault.db".to_owned(),
        "/cache/thumbnails/....//index.db".to_owned(),
        "/cache/thumbnails/..\\..\\index.db".to_owned(),
        "/cache/thumbnails/%c0%ae%c0%ae/index.db".to_owned(),
        "/cache/thumbnails/%00.webp".to_owned(),
        "//etc/passwd".to_owned(),
        "/static/../Cargo.toml".to_owned(),
        "/static/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        format!("/cache/thumbnails/{}.webp", key.to_uppercase()),
        format!("/cache/thumbnails/{key}.webp/"),
        format!("/cache/thumbnails/{key}.png"),
        format!("/cache/thumbnails/{key}"),
        format!("/cache/thumbnails/{}.webp", "0".repeat(4_000)),
        format!("/cache/other/{key}.webp"),
        "/cache/placeholders/placeholder_other.webp".to_owned(),
        "/cache/placeholders/../index.db".to_owned(),
    ] {
        let reply = vault.get(&target);
        assert_eq!(reply.status, 404, "{target}");
        assert!(!reply.text().contains("SQLite"), "{target}");
    }
}

#[test]
fn the_placeholder_has_an_address_of_its_own_and_is_kept_there() {
    let vault = Vault::start();
    for (variant, side) in [("thumbnails", 150), ("detail", 600)] {
        for (extension, format) in [("webp", image::ImageFormat::WebP), ("jpg", image::ImageFormat::Jpeg)] {
            let reply = vault.get(&format!("/cache/placeholders/placeholder_{variant}.{extension}"));
            assert_eq!((reply.status, stand_in(&reply)), (200, None));
            assert!(reply.header("etag").is_some());
            let picture = image::load_from_memory_with_format(&reply.body, format).unwrap();
            assert_eq!((picture.width(), picture.height()), (side, side));
        }
    }
}

#[test]
fn a_title_that_is_markup_stays_text_and_the_page_could_not_run_it() {
    let vault = Vault::start();
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    vault.import(
        &serde_json::json!([{ "artist": hostile, "title": hostile, "label": hostile, "genre": hostile }]),
    );
    let grid = vault.get("/");
    let link = grid
        .text()
        .split("/album/")
        .nth(1)
        .unwrap()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>();
    for page in [
        grid,
        vault.get(&format!("/album/{link}")),
        vault.get(&format!("/?q={}", crate::stage::encode(hostile))),
    ] {
        assert_eq!(page.status, 200);
        assert!(!page.text().contains("<script>alert") && !page.text().contains("<img src=x"), "escaped");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}

#[test]
fn a_cover_of_many_shapes_keeps_its_aspect_and_is_never_enlarged() {
    let origin = origin();
    for (path, width, height) in
        [("/wide", 1200, 300), ("/tall", 300, 900), ("/small", 90, 60), ("/line", 3000, 4)]
    {
        origin.on(path, Script::picture(pictures::jpeg(width, height, [10, 120, 200])));
    }
    let vault = settings(&origin).start();
    for (path, size) in
        [("/wide", (600, 150)), ("/tall", (200, 600)), ("/small", (90, 60)), ("/line", (600, 1))]
    {
        let reply = vault.get(&address_of(&vault, &origin.url(path), "detail"));
        assert_cover(&reply);
        let picture = image::load_from_memory(&reply.body).unwrap();
        assert_eq!((picture.width(), picture.height()), size, "{path}");
    }
}

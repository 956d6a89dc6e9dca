//! The page as a person sees it, in a real Chromium: by day and by night, on a phone and on a desk.
//! Pictures of it are left in `target/screenshots/`.

use crate::history;
use crate::support::browser::{Browser, DESKTOP, PHONE, Scheme, Screen, Scripts};
use crate::support::folder::Folder;
use serde_json::json;
use std::path::Path;
use vinylvault::report::{Facts, Report};

/// The smallest type on the page, CSS pixels: of a chart on a phone.
const TYPE_LEAST: f64 = 10.0;

/// What is wider than the window, and the smallest text of the charts as it is shown.
const LOOK: &str = "
    const charts = [...document.querySelectorAll('.chart')];
    const sizes = charts.flatMap(chart => [...chart.querySelectorAll('text')].map(text =>
        parseFloat(getComputedStyle(text).fontSize) * chart.getScreenCTM().a));
    return {
        charts: charts.length,
        overflow: document.documentElement.scrollWidth - innerWidth,
        smallest: Math.min(99, ...sizes),
        outside: charts.flatMap(chart => [...chart.querySelectorAll('text')].filter(text => {
            const own = text.getBoundingClientRect(), card = chart.closest('figure').getBoundingClientRect();
            return own.left < card.left || own.right > card.right;
        }).map(text => text.textContent)),
        overlaps: charts.flatMap(chart => {
            const boxes = [...chart.querySelectorAll('text')].map(text => text.getBoundingClientRect());
            return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
                a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom));
        }).length,
    };";

fn show(browser: &Browser, folder: &Folder, name: &str, facts: Facts, screen: Screen, scheme: Scheme) {
    let file = folder.join("report.html");
    std::fs::write(&file, Report::new(facts).html().unwrap()).unwrap();
    browser.show_on(screen, scheme);
    browser.open(&format!("file://{}", file.display()));
    let looks = browser.eval(LOOK);
    assert_eq!(
        (&looks["overflow"], &looks["outside"], &looks["overlaps"]),
        (&json!(0), &json!([]), &json!(0))
    );
    assert!(looks["smallest"].as_f64().unwrap() >= TYPE_LEAST, "{looks}");
    assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
    let height = browser.eval("return document.documentElement.scrollHeight");
    let whole =
        json!({ "width": screen.width, "height": height, "mobile": screen.is_phone, "deviceScaleFactor": 1 });
    browser.cdp("Emulation.setDeviceMetricsOverride", whole);
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    browser.screenshot(&pictures.join(format!("report-{name}.png")));
}

#[test]
fn a_report_fits_every_screen_and_needs_nothing_but_itself() {
    let (browser, folder) = (Browser::start(Scripts::Run), Folder::new());
    for (screen, device) in [(PHONE, "phone"), (DESKTOP, "desktop")] {
        for (scheme, light) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            show(&browser, &folder, &format!("{device}-{light}"), history::month(), screen, scheme);
        }
        show(&browser, &folder, &format!("{device}-new"), history::nothing(), screen, Scheme::Light);
        for hours in [1, 20, 60, 100] {
            let name = format!("{device}-{hours}-hours");
            show(&browser, &folder, &name, history::latest(hours), screen, Scheme::Light);
        }
    }
}

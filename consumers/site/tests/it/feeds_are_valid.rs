use serde_json::Value;

use crate::documents::{Element, elements, named};
use crate::sample;

#[test]
fn the_atom_feed_has_the_newest_ten_with_what_readers_need() {
    let pages = sample::rendered(&sample::site((0..60).map(sample::artwork).collect()));
    let feed = elements(&pages["feed.xml"]);
    assert_eq!(feed[0].name, "feed");
    assert_eq!(feed[0].attribute("xmlns"), Some("http://www.w3.org/2005/Atom"));
    assert_eq!(named(&feed, "entry").count(), 10);
    let ids: Vec<&str> = named(&feed, "id").map(|id| id.text.as_str()).collect();
    assert_eq!(ids[..2], ["https://art.example/gallery/", "urn:uuid:00000000-0000-0000-0000-00000000003c"]);
    let updated: Vec<&str> = named(&feed, "updated").map(|updated| updated.text.as_str()).collect();
    assert_eq!(updated[..2], ["1970-01-03T11:00:00Z"; 2]);
    for link in named(&feed, "link") {
        assert!(
            link.attribute("href").is_some_and(|href| href.starts_with("https://art.example/gallery/")),
            "{link:?}"
        );
    }
    let content = named(&feed, "content").next().expect("an entry has content");
    let html = elements(format!("<div>{}</div>", content.text).as_bytes());
    let image = named(&html, "img").next().expect("an entry shows its picture");
    let id = "00000000-0000-0000-0000-00000000003c";
    let src = format!("https://art.example/gallery/media/display/{id}/v%201.jpg");
    assert_eq!(image.attribute("src"), Some(src.as_str()));
}

#[test]
fn the_json_feed_says_the_same_as_the_atom_feed() {
    let pages = sample::rendered(&sample::site((0..60).map(sample::artwork).collect()));
    let feed: Value = serde_json::from_slice(&pages["feed.json"]).expect("the feed is JSON");
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    let items = feed["items"].as_array().expect("a feed has items");
    assert_eq!(items.len(), 10);
    let atom = elements(&pages["feed.xml"]);
    let contents: Vec<&str> = named(&atom, "content").map(|content| content.text.as_str()).collect();
    let html: Vec<&str> = items.iter().filter_map(|item| item["content_html"].as_str()).collect();
    assert_eq!(html, contents);
    assert_eq!(items[0]["external_url"], "https://posts.example/59?a=1&b=2");
}

#[test]
fn the_rss_feed_says_the_same_as_the_atom_feed() {
    let pages = sample::rendered(&sample::site((0..60).map(sample::artwork).collect()));
    let (atom, rss) = (elements(&pages["feed.xml"]), elements(&pages["rss.xml"]));
    assert_eq!((rss[0].name.as_str(), rss[0].attribute("version")), ("rss", Some("2.0")));
    let texts =
        |feed, name| -> Vec<String> { named(feed, name).map(|element: &Element| element.text.clone()).collect() };
    assert_eq!(texts(&rss, "guid"), texts(&atom, "id")[1..]);
    assert_eq!(texts(&rss, "description")[1..], texts(&atom, "content"));
    assert_eq!(texts(&rss, "pubDate")[0], "Sat, 03 Jan 1970 11:00:00 +0000");
    let enclosure = named(&rss, "enclosure").next().expect("an item has its picture");
    let image = sample::artwork(59).display;
    assert_eq!(enclosure.attribute("length"), Some(image.length.to_string().as_str()));
    assert_eq!(enclosure.attribute("type"), Some("image/jpeg"));
}

#[test]
fn a_tag_has_a_feed_of_its_newest_works_that_its_pages_name() {
    let pages = sample::rendered(&sample::site((0..60).map(sample::artwork).collect()));
    let feed = elements(&pages["tags/mod_3/feed.xml"]);
    let ids: Vec<&str> = named(&feed, "id").map(|id| id.text.as_str()).collect();
    let newest = [59, 52, 45, 38, 31, 24, 17, 10, 3].map(|number| sample::artwork(number).id.urn().to_string());
    assert_eq!(ids[0], "https://art.example/gallery/tags/mod_3/");
    assert_eq!(ids[1..], newest);
    assert_eq!(named(&elements(&pages["tags/every/feed.xml"]), "entry").count(), 10);
    let rss = elements(&pages["tags/mod_3/rss.xml"]);
    let guids: Vec<&str> = named(&rss, "guid").map(|id| id.text.as_str()).collect();
    assert_eq!((guids.as_slice(), rss_home(&rss)), (&ids[1..], ids[0]));
    let json: Value = serde_json::from_slice(&pages["tags/mod_3/feed.json"]).expect("the feed is JSON");
    let items = json["items"].as_array().expect("a feed has items");
    assert_eq!((items.len(), &json["home_page_url"]), (newest.len(), &Value::from(ids[0])));
    assert_eq!(json["feed_url"], "https://art.example/gallery/tags/mod_3/feed.json");
    assert_eq!(json["title"], named(&feed, "title").next().expect("it has a title").text.as_str());

    let listing = elements(&pages["tags/mod_3/index.html"]);
    for (media_type, name) in [
        ("application/atom+xml", "feed.xml"),
        ("application/rss+xml", "rss.xml"),
        ("application/feed+json", "feed.json"),
    ] {
        let named_feeds: Vec<_> = named(&listing, "link")
            .filter(|link| link.attribute("type") == Some(media_type))
            .filter_map(|link| link.attribute("href"))
            .collect();
        assert_eq!(named_feeds, [format!("../../{name}"), format!("../../tags/mod_3/{name}")]);
    }
}

fn rss_home(rss: &[Element]) -> &str {
    &named(rss, "link").next().expect("a channel has a link").text
}

#[test]
fn the_sitemap_names_every_artwork_once() {
    let pages = sample::rendered(&sample::site((0..60).map(sample::artwork).collect()));
    let locations = |path: &str| -> Vec<String> {
        named(&elements(&pages[path]), "loc").map(|location| location.text.clone()).collect()
    };
    let maps = locations("sitemap.xml");
    let named = ["sitemap/1.xml", "sitemap/2.xml", "sitemap/listings.xml"];
    assert_eq!(maps, named.map(|map| format!("https://art.example/gallery/{map}")));
    let mut artworks = [locations("sitemap/1.xml"), locations("sitemap/2.xml")].concat();
    assert_eq!(artworks.len(), 60);
    artworks.sort();
    artworks.dedup();
    assert_eq!(artworks.len(), 60);
    assert!(String::from_utf8_lossy(&pages["robots.txt"]).contains("Sitemap: https://art.example/gallery/sitemap.xml"));
}

#[test]
fn social_cards_carry_absolute_addresses() {
    let pages = sample::rendered(&sample::site(vec![sample::artwork(0)]));
    let page = elements(&pages["artworks/00000000-0000-0000-0000-000000000001/index.html"]);
    let meta = |key: &str| {
        let found = named(&page, "meta")
            .find(|meta| meta.attribute("property").or(meta.attribute("name")) == Some(key))
            .and_then(|meta| meta.attribute("content"));
        found.unwrap_or_else(|| panic!("{key} is missing")).to_owned()
    };
    let url = "https://art.example/gallery/artworks/00000000-0000-0000-0000-000000000001/";
    assert_eq!(meta("og:url"), url);
    assert_eq!(meta("og:title"), "Work 0 by Artist 0");
    assert_eq!(meta("twitter:card"), "summary_large_image");
    let image = meta("og:image");
    assert!(image.starts_with("https://art.example/gallery/media/display/"), "{image}");
    let linked = named(&page, "script").find(|script| !script.text.is_empty()).expect("the page has linked data");
    let linked: Value = serde_json::from_str(&linked.text).expect("linked data is JSON");
    assert_eq!(linked["url"], url);
}

#[test]
fn a_shared_link_carries_the_address_and_the_title_whatever_is_in_it() {
    let mut artwork = sample::artwork(0);
    artwork.title = "Tea & \"salt\"?x=1#y".to_owned();
    artwork.artist = String::new();
    let pages = sample::rendered(&sample::site(vec![artwork]));
    let page = elements(&pages["artworks/00000000-0000-0000-0000-000000000001/index.html"]);
    let reddit = named(&page, "a").filter_map(|link| link.attribute("href")).find(|href| href.contains("reddit"));
    let url = "https%3A//art.example/gallery/artworks/00000000-0000-0000-0000-000000000001/";
    let expected = format!("https://www.reddit.com/submit?url={url}&title=Tea%20%26%20%22salt%22%3Fx%3D1%23y");
    assert_eq!(reddit, Some(expected.as_str()));
}

#[test]
fn an_empty_gallery_has_valid_feeds_and_a_home() {
    let pages = sample::rendered(&sample::site(vec![]));
    assert_eq!(named(&elements(&pages["feed.xml"]), "entry").count(), 0);
    assert_eq!(named(&elements(&pages["feed.xml"]), "updated").count(), 1);
    let feed: Value = serde_json::from_slice(&pages["feed.json"]).expect("the feed is JSON");
    assert_eq!(feed["items"].as_array().map(Vec::len), Some(0));
    assert!(String::from_utf8_lossy(&pages["index.html"]).contains("Nothing has been published here yet"));
}

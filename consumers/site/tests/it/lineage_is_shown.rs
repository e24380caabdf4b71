//! Which works came from which, on their pages.

use atelier_events::{Lineage, Relation, VariantId};
use atelier_site::gallery::Artwork;
use atelier_site::pages::Site;

use crate::documents::{elements, named};
use crate::sample;

fn from(parent: u32, relation: Relation) -> Vec<Lineage> {
    vec![Lineage { parent: VariantId(sample::version(parent)), relation }]
}

fn child(number: u32, parent: u32, relation: Relation) -> Artwork {
    Artwork { lineage: from(parent, relation), ..sample::artwork(number) }
}

/// Whom the lineage strip of a work's page leads to, and how it says they are related.
fn strip(site: &Site, number: u32) -> Vec<(String, String)> {
    let page = &sample::rendered(site)[&format!("artworks/{}/index.html", sample::artwork(number).id)];
    let text = std::str::from_utf8(page).expect("a page is UTF-8");
    let Some(start) = text.find("<section class=\"strip kin\"") else { return vec![] };
    let end = start + text[start..].find("</section>").expect("it ends") + "</section>".len();
    let found = elements(&page[start..end]);
    let hrefs = named(&found, "a").filter_map(|link| link.attribute("href"));
    let said = named(&found, "small").map(|small| small.text.clone()).filter(|said| said != "This work");
    hrefs.map(|href| href.trim_start_matches("../").to_owned()).zip(said).collect()
}

fn href(number: u32) -> String {
    format!("artworks/{}/", sample::artwork(number).id)
}

#[test]
fn a_work_leads_to_the_one_it_came_from_and_that_one_back() {
    let works = vec![sample::artwork(1), child(2, 1, Relation::Derived), child(3, 1, Relation::Forked)];
    let site = sample::site(works);
    assert_eq!(strip(&site, 2), [(href(1), "Derived from".to_owned())]);
    assert_eq!(strip(&site, 1), [(href(3), "Forked".to_owned()), (href(2), "Derived".to_owned())]);
}

#[test]
fn a_work_that_is_not_shown_is_not_named_and_comes_back_with_its_lineage() {
    let mut site =
        std::sync::Arc::into_inner(sample::site(vec![child(2, 1, Relation::Derived)])).expect("its only owner");
    assert_eq!(strip(&site, 2), []);
    site.settle();
    site.show(sample::artwork(1)).expect("it can be shown");
    assert_eq!(strip(&site, 2), [(href(1), "Derived from".to_owned())]);
    let looked_at: Vec<String> = site.changed().files.iter().map(|file| site.path(*file)).collect();
    assert!(looked_at.contains(&format!("{}index.html", href(2))), "{looked_at:?}");
    site.hide(sample::artwork(1).id);
    assert_eq!(strip(&site, 2), []);
}

#[test]
fn a_version_of_the_same_work_is_no_other_work() {
    let artwork = Artwork { lineage: from(1, Relation::Refined), ..sample::artwork(1) };
    assert_eq!(strip(&sample::site(vec![artwork]), 1), []);
}

//! What the site promises.

mod a_backdrop_is_never_seen_through_a_picture;
mod a_page_tells_all_of_its_work;
mod artworks_are_told_of;
mod bucket_target;
mod changes_are_exact;
mod command_target;
mod deploys_are_atomic;
mod documents;
mod feeds_are_valid;
mod hostile_text_stays_text;
mod kept;
mod lineage_is_shown;
mod links_resolve;
mod node;
mod pages_are_sealed;
mod publishes;
mod sample;
mod store;
mod the_script_searches;
mod the_search_finds;
mod themes_are_documented;
mod themes_replace_the_built_in_look;
mod told;
mod what_is_kept_offline_is_bounded;
mod workers_target;

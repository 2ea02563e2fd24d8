use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Asset, Call, Client, Result, Why};

/// Which assets to find; every field narrows the search. Other users' assets are never found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataSearch {
    /// In one of these albums.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub album_ids: Vec<Uuid>,
    /// Taken before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_before: Option<Timestamp>,
    /// Taken after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_after: Option<Timestamp>,
    /// With this file name in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_file_name: Option<String>,
    /// Base64 of the SHA-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Also those in the trash.
    pub with_deleted: bool,
    /// With their EXIF data.
    pub with_exif: bool,
}

/// One page of what was found.
#[derive(Debug, Clone)]
pub struct SearchPage {
    /// The assets, the newest first.
    pub assets: Vec<Asset>,
    /// The next page's number, if there is one.
    pub next_page: Option<u32>,
}

impl Client {
    /// Finds assets: page `page` (from 1) of `size` (at most 1000).
    ///
    /// # Errors
    /// As every call.
    pub fn search_metadata(
        &self,
        search: &MetadataSearch,
        page: u32,
        size: u32,
    ) -> Result<SearchPage> {
        #[derive(Serialize)]
        struct Wanted<'a> {
            #[serde(flatten)]
            search: &'a MetadataSearch,
            page: u32,
            size: u32,
        }
        #[derive(Deserialize)]
        struct Found {
            assets: FoundAssets,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct FoundAssets {
            items: Vec<Asset>,
            next_page: Option<String>,
        }
        let call = Call::post("search for assets", "/api/search/metadata");
        let found: Found = self.send(&call, &Wanted { search, page, size })?;
        let next_page = found
            .assets
            .next_page
            .map(|next| next.parse())
            .transpose()
            .map_err(|_| call.failed(Why::Answer("the next page is not a number".into())))?;
        Ok(SearchPage {
            assets: found.assets.items,
            next_page,
        })
    }

    /// Finds all assets, page by page.
    ///
    /// # Errors
    /// As every call; also when the pages go in a circle.
    pub fn search_all(&self, search: &MetadataSearch) -> Result<Vec<Asset>> {
        const PAGE: u32 = 1000;
        let mut assets = Vec::new();
        let mut page = 1;
        loop {
            let found = self.search_metadata(search, page, PAGE)?;
            assets.extend(found.assets);
            match found.next_page {
                None => return Ok(assets),
                Some(next) if next > page => page = next,
                Some(next) => {
                    let call = Call::post("search for assets", "/api/search/metadata");
                    let circle = format!("page {next} is said to follow page {page}");
                    return Err(call.failed(Why::Answer(circle)));
                }
            }
        }
    }
}

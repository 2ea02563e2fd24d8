//! Block maps (`IMAGE.bmap`, as bmaptool writes them): which blocks of an image hold data.
//!
//! Only a hint. What the map leaves out is skipped if it is zero in the image too; so a map that
//! is wrong costs nothing but an error.

use serde::Deserialize;

/// Which bytes of an image hold data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bmap {
    /// Size of the image in bytes.
    pub image_size: u64,
    /// Stretches with data: start and end in bytes, in order, apart from each other.
    ranges: Vec<(u64, u64)>,
}

/// Why a map is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the block map is damaged: {0}")]
pub struct BmapError(String);

#[derive(Deserialize)]
#[serde(rename = "bmap")]
struct Document {
    #[serde(rename = "ImageSize")]
    image_size: String,
    #[serde(rename = "BlockSize")]
    block_size: String,
    #[serde(rename = "BlockMap")]
    block_map: BlockMap,
}

#[derive(Deserialize)]
struct BlockMap {
    #[serde(rename = "Range", default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "$text")]
    blocks: String,
}

impl Bmap {
    /// Reads a map.
    ///
    /// # Errors
    /// [`BmapError`].
    pub fn parse(text: &str) -> Result<Self, BmapError> {
        let wrong = |what: &str| BmapError(what.to_owned());
        let document: Document =
            quick_xml::de::from_str(text).map_err(|error| BmapError(error.to_string()))?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let image_size = number(&document.image_size).ok_or_else(|| wrong("its image size"))?;
        let block = number(&document.block_size)
            .filter(|size| size.is_power_of_two() && (512..=1 << 20).contains(size))
            .ok_or_else(|| wrong("its block size"))?;
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for range in &document.block_map.ranges {
            let (first, last) = match range.blocks.split_once('-') {
                Some((first, last)) => (number(first), number(last)),
                None => (number(&range.blocks), number(&range.blocks)),
            };
            let (Some(first), Some(last)) = (first, last) else {
                return Err(wrong("a range that is not two numbers"));
            };
            let start = first.checked_mul(block);
            let end = last.checked_add(1).and_then(|end| end.checked_mul(block));
            let before = ranges.last().map_or(0, |(_, end)| *end);
            match (start, end) {
                (Some(start), Some(end)) if start >= before && end > start => {
                    ranges.push((start, end));
                }
                _ => return Err(wrong("ranges out of order")),
            }
        }
        if ranges.last().is_some_and(|(start, _)| *start >= image_size) {
            return Err(wrong("a range beyond the image"));
        }
        Ok(Self { image_size, ranges })
    }

    /// Whether any of the bytes from `at` on hold data.
    pub fn holds_data(&self, at: u64, length: u64) -> bool {
        let next = self.ranges.partition_point(|(_, end)| *end <= at);
        self.ranges
            .get(next)
            .is_some_and(|(start, _)| *start < at + length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAP: &str = r#"<?xml version="1.0" ?>
<!-- a comment -->
<bmap version="2.0">
    <ImageSize> 40960 </ImageSize>
    <BlockSize> 4096 </BlockSize>
    <BlocksCount> 10 </BlocksCount>
    <MappedBlocksCount> 4 </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> 00 </BmapFileChecksum>
    <BlockMap>
        <Range chksum="aa"> 0-1 </Range>
        <Range chksum="bb"> 5 </Range>
        <Range chksum="cc"> 9 </Range>
    </BlockMap>
</bmap>"#;

    #[test]
    fn a_map_of_bmaptool_is_read() {
        let map = Bmap::parse(MAP).unwrap();
        assert_eq!(map.image_size, 40960);
        assert!(map.holds_data(0, 1));
        assert!(map.holds_data(8191, 1));
        assert!(!map.holds_data(8192, 3 * 4096));
        assert!(map.holds_data(8192, 3 * 4096 + 1));
        assert!(map.holds_data(5 * 4096 + 1, 1));
        assert!(!map.holds_data(6 * 4096, 4096));
        assert!(map.holds_data(6 * 4096, 1 << 20));
        assert!(!map.holds_data(40960, 10));
    }

    #[test]
    fn ranges_that_overlap_or_lie_outside_are_refused() {
        for (from, to) in [
            ("5 <", "1 <"),
            ("9 <", "10 <"),
            ("0-1", "1-0"),
            ("> 4096 <", "> 4000 <"),
            ("> 40960 <", "> 4096 <"),
        ] {
            assert!(Bmap::parse(&MAP.replacen(from, to, 1)).is_err(), "{from}");
        }
    }

    proptest! {
        #[test]
        fn any_map_is_answered(ranges in "[0-9 -]{0,20}", text in "\\PC{0,200}") {
            let _ = Bmap::parse(&text);
            if let Ok(map) = Bmap::parse(&MAP.replace("0-1", &ranges)) {
                let _ = map.holds_data(0, u64::from(u32::MAX));
            }
        }
    }
}

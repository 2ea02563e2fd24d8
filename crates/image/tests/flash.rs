//! Writing a card, with every fault that a card, a reader or a download can have.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{fs, io, path::Path};

use appliance_image::bmap::Bmap;
use appliance_image::card::Card;
use appliance_image::flash::{FlashError, Flashed, Left, Options, flash};
use appliance_image::source::Image;
use appliance_image::sums::Sum;
use appliance_image::table::{self, Kind};
use appliance_image::{Patches, Silent, customise};
use common::{MIB, Recipe, compress, settings};
use nix::errno::Errno;
use sha2::{Digest, Sha256};

/// A card in memory, and what goes wrong with it.
struct FakeCard {
    medium: Vec<u8>,
    /// How much was written in all.
    written: u64,
    synced: bool,
    fault: Fault,
    over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// From so many bytes on nothing reaches the medium: the power is cut, and the program with
    /// it. Every later call fails.
    PowerCut(u64),
    /// From so many bytes on the device is gone; it never comes back.
    Vanishes(u64),
    /// From so many bytes on a write fails, and later ones work.
    WriteError(u64),
    /// Every write takes half of what it was given, in whole blocks.
    ShortWrites,
    /// The card says it is larger than it is, and takes nothing beyond.
    TakesNoMore(u64),
    /// One bit of this place is another after writing.
    FlippedBit(u64),
    /// Writes beyond the true size land at its beginning again: a forged card.
    WrapsAround(u64),
    /// Writes beyond the true size are taken and lost: a forged card.
    Forgets(u64),
    /// The last sync fails.
    NeverSyncs,
    /// This place cannot be read.
    Unreadable(u64),
}

impl FakeCard {
    fn new(size: u64, fault: Fault) -> Self {
        // What was on it before: an old system that starts.
        let mut medium = common::noise(99, size as usize);
        medium[510..512].copy_from_slice(&[0x55, 0xaa]);
        medium[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
        medium[462..510].fill(0);
        Self {
            medium,
            written: 0,
            synced: true,
            fault,
            over: false,
        }
    }

    /// Whether anything could start from it: no table at its start, nor GPT's second at its end.
    fn is_dead(&self) -> bool {
        let last = &self.medium[self.medium.len() - 512..];
        table::read(&self.medium[..MIB as usize]).is_err() && !last.starts_with(b"EFI PART")
    }
}

fn gone(errno: Errno) -> io::Error {
    errno.into()
}

impl Card for FakeCard {
    fn size(&self) -> u64 {
        self.medium.len() as u64
    }

    fn write_at(&mut self, at: u64, data: &[u8]) -> io::Result<usize> {
        assert_eq!(at % 512, 0, "direct writes are of whole blocks");
        assert_eq!(data.len() % 512, 0, "direct writes are of whole blocks");
        let mut count = data.len();
        match self.fault {
            Fault::PowerCut(_) | Fault::Vanishes(_) if self.over => {
                return Err(gone(Errno::ENODEV));
            }
            Fault::PowerCut(after) | Fault::Vanishes(after)
                if self.written + count as u64 > after =>
            {
                self.over = true;
                // The cut falls into the middle of a write.
                count = ((after - self.written) as usize)
                    .next_multiple_of(512)
                    .min(count);
                self.medium[at as usize..][..count].copy_from_slice(&data[..count]);
                return Err(gone(Errno::ENODEV));
            }
            Fault::WriteError(after) if !self.over && self.written + count as u64 > after => {
                self.over = true;
                return Err(gone(Errno::EIO));
            }
            Fault::ShortWrites => count = (count / 2).next_multiple_of(512).min(count),
            Fault::TakesNoMore(end) if at >= end => return Ok(0),
            _ => {}
        }
        let mut place = at as usize;
        if let Fault::WrapsAround(size) = self.fault {
            place %= size as usize;
        }
        if matches!(self.fault, Fault::Forgets(size) if at >= size) {
            self.written += count as u64;
            self.synced = false;
            return Ok(count);
        }
        self.medium[place..][..count].copy_from_slice(&data[..count]);
        if let Fault::FlippedBit(place) = self.fault
            && (at..at + count as u64).contains(&place)
        {
            self.medium[place as usize] ^= 0x10;
        }
        self.written += count as u64;
        self.synced = false;
        Ok(count)
    }

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        assert!(
            self.synced,
            "what is not synced must not count as read back"
        );
        if self.over && !matches!(self.fault, Fault::WriteError(_)) {
            return Err(gone(Errno::ENODEV));
        }
        if let Fault::Unreadable(place) = self.fault
            && (at..at + into.len() as u64).contains(&place)
        {
            return Err(gone(Errno::EIO));
        }
        let mut place = at as usize;
        if let Fault::WrapsAround(size) = self.fault {
            place %= size as usize;
        }
        let count = into.len().min(self.medium.len() - place);
        into[..count].copy_from_slice(&self.medium[place..][..count]);
        Ok(count)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.over && !matches!(self.fault, Fault::WriteError(_)) {
            return Err(gone(Errno::ENODEV));
        }
        if self.fault == Fault::NeverSyncs && self.written > 4 * MIB {
            return Err(gone(Errno::EIO));
        }
        self.synced = true;
        Ok(())
    }
}

fn options<'a>(patches: &'a Patches, expected: Option<Sum>) -> Options<'a> {
    Options {
        patches,
        expected,
        bmap: None,
        read_back: true,
    }
}

fn image(folder: &Path, kind: Kind) -> (Recipe, Image) {
    let recipe = Recipe::new(kind, 16);
    let path = recipe.make(folder);
    (recipe, Image::open(&path).unwrap())
}

fn sum(path: &Path) -> Sum {
    Sha256::digest(fs::read(path).unwrap()).into()
}

fn write(image: &Image, card: &mut FakeCard) -> Result<Flashed, FlashError> {
    let patches = Patches::default();
    flash(
        image,
        card,
        &options(&patches, Some(sum(image.path()))),
        &Silent,
    )
}

/// What failed, once the card is known to be dead.
fn cause(error: FlashError, card: &FakeCard) -> FlashError {
    let FlashError::Failed { left, source } = error else {
        panic!("{error} says nothing of the state of the card");
    };
    assert_eq!(left, Left::NoTable);
    assert!(card.is_dead(), "after: {source}");
    *source
}

#[test]
fn the_card_becomes_the_image_under_both_tables_packed_or_not_on_larger_and_equal_cards() {
    for kind in [Kind::Mbr, Kind::Gpt] {
        let folder = tempfile::tempdir().unwrap();
        let (recipe, raw) = image(folder.path(), kind);
        let packed = Image::open(&compress(raw.path())).unwrap();
        let bytes = fs::read(raw.path()).unwrap();
        for image in [&raw, &packed] {
            for more in [0, 512, 5 * MIB + 512] {
                let mut card = FakeCard::new(recipe.size() + more, Fault::None);
                let done = write(image, &mut card).unwrap();
                assert!(card.medium[..bytes.len()] == bytes, "{kind:?} {more}");
                assert_eq!(done.size, recipe.size());
                assert_eq!(done.compared, recipe.size(), "all of it was read back");
            }
        }
    }
}

#[test]
fn settings_go_onto_the_card_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let packed = Image::open(&compress(raw.path())).unwrap();
    let patches = customise::patches(&packed, &settings()).unwrap();
    let copy = folder.path().join("copy");
    customise::write_copy(&packed, &patches, &copy, &Silent).unwrap();
    let mut card = FakeCard::new(recipe.size() + MIB, Fault::None);
    let sum = sum(packed.path());
    flash(&packed, &mut card, &options(&patches, Some(sum)), &Silent).unwrap();
    assert!(card.medium[..recipe.size() as usize] == fs::read(copy).unwrap());
}

#[test]
fn an_image_that_ends_within_a_block_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let mut bytes = fs::read(raw.path()).unwrap();
    bytes.extend_from_slice(&[7; 700]);
    let path = folder.path().join("odd.img");
    fs::write(&path, &bytes).unwrap();
    let mut card = FakeCard::new(recipe.size() + 4 * MIB, Fault::None);
    write(&Image::open(&path).unwrap(), &mut card).unwrap();
    assert!(card.medium[..bytes.len()] == bytes);
}

#[test]
fn a_power_cut_at_any_point_leaves_nothing_bootable() {
    for kind in [Kind::Mbr, Kind::Gpt] {
        let folder = tempfile::tempdir().unwrap();
        let (recipe, raw) = image(folder.path(), kind);
        let mut whole = FakeCard::new(recipe.size(), Fault::None);
        write(&raw, &mut whole).unwrap();
        let total = whole.written;
        // In hundredths, and the very last blocks, where the table is written. Before the first
        // MiB is made zero the old system is still whole.
        let mut cuts: Vec<u64> = (7..100).map(|part| total * part / 100).collect();
        cuts.extend([total - MIB, total - 8192, total - 4096]);
        for cut in cuts {
            let mut card = FakeCard::new(recipe.size(), Fault::PowerCut(cut));
            let error = write(&raw, &mut card).unwrap_err();
            // The program would be gone as well: what is on the card counts, not what it says.
            // GPT's second table comes before the very first block, when all else is there.
            let all_but_the_first_block = card.medium[4096..] == whole.medium[4096..];
            let fine = card.is_dead() || (kind == Kind::Gpt && all_but_the_first_block);
            assert!(fine, "cut after {cut} of {total}: {error}");
            assert!(card.is_dead() || cut > total * 90 / 100);
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_its_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Gpt);
    let packed = Image::open(&compress(raw.path())).unwrap();
    let bytes = fs::read(raw.path()).unwrap();
    let end = recipe.size();
    for image in [&raw, &packed] {
        for place in [0, 511, 4096, MIB - 1, MIB, 2 * MIB + 5, end / 2, end - 1] {
            let mut card = FakeCard::new(end, Fault::FlippedBit(place));
            let error = write(image, &mut card).unwrap_err();
            let text = error.to_string();
            assert!(matches!(&error, FlashError::Failed { .. }), "{error}");
            let FlashError::Failed { source, .. } = error else {
                unreachable!()
            };
            let FlashError::Differs {
                at,
                expected,
                found,
                more,
            } = *source
            else {
                panic!("{source}");
            };
            assert_eq!((at, expected, more), (place, bytes[place as usize], 0));
            assert_eq!(found, expected ^ 0x10);
            assert!(text.contains("no partition table"), "{text}");
        }
    }
}

#[test]
fn a_counterfeit_card_is_found_before_anything_of_the_image_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Gpt);
    // The image itself would fit into what the card really has.
    let (reported, real) = (128 * MIB, 32 * MIB);
    assert!(recipe.size() < real);
    for fault in [
        Fault::WrapsAround(real),
        Fault::WrapsAround(reported / 2),
        Fault::Forgets(real),
        Fault::Forgets(reported - MIB),
    ] {
        let mut card = FakeCard::new(reported, fault);
        card.medium.truncate(64 * MIB as usize);
        card.medium.resize(reported as usize, 0);
        let error = write(&raw, &mut card).unwrap_err();
        let cause = cause(error, &card);
        let FlashError::Counterfeit { reported: said, at } = cause else {
            panic!("{fault:?}: {cause}");
        };
        assert_eq!(said, reported);
        let (Fault::WrapsAround(room) | Fault::Forgets(room)) = fault else {
            unreachable!()
        };
        assert!(at >= room && at <= 2 * room + MIB, "{fault:?}: {at}");
        assert!(card.written < recipe.size(), "{fault:?}: {}", card.written);
    }
    // And the same card, honest, is written.
    write(&raw, &mut FakeCard::new(reported, Fault::None)).unwrap();
}

#[test]
fn a_forged_card_that_has_less_room_than_it_says_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let mut card = FakeCard::new(
        recipe.size(),
        Fault::WrapsAround(recipe.size() / 2 / MIB * MIB),
    );
    let error = write(&raw, &mut card).unwrap_err();
    let FlashError::Failed { source, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(*source, FlashError::Differs { .. }), "{source}");

    let end = recipe.size() / 2 / 512 * 512;
    let mut card = FakeCard::new(recipe.size(), Fault::TakesNoMore(end));
    let error = write(&raw, &mut card).unwrap_err();
    let FlashError::Failed { source, .. } = error else {
        panic!("{error}")
    };
    assert!(source.to_string().contains("takes no more"), "{source}");
}

#[test]
fn short_writes_are_continued() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let mut card = FakeCard::new(recipe.size(), Fault::ShortWrites);
    write(&raw, &mut card).unwrap();
    assert!(card.medium == fs::read(raw.path()).unwrap());
}

#[test]
fn a_card_that_is_pulled_out_is_said_to_be_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let half = recipe.size() / 2;
    let mut card = FakeCard::new(recipe.size(), Fault::Vanishes(half));
    let error = write(&raw, &mut card).unwrap_err();
    let FlashError::Failed { left, source } = error else {
        panic!("{error}")
    };
    assert!(
        matches!(left, Left::Unknown(_)),
        "nobody can know what a card holds that is gone"
    );
    assert!(source.to_string().contains("the card is gone"), "{source}");
    assert!(card.is_dead());
}

#[test]
fn errors_of_writing_syncing_and_reading_are_named_and_leave_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Gpt);
    let half = recipe.size() / 2;
    let mut card = FakeCard::new(recipe.size(), Fault::WriteError(half));
    let error = write(&raw, &mut card).unwrap_err();
    let cause = cause(error, &card);
    assert!(
        matches!(cause, FlashError::Write { at, .. } if at > 0),
        "{cause}"
    );

    let mut card = FakeCard::new(recipe.size(), Fault::Unreadable(half));
    let error = write(&raw, &mut card).unwrap_err();
    let cause = self::cause(error, &card);
    assert!(
        matches!(cause, FlashError::Read { at, .. } if at <= half && half - at < MIB),
        "{cause}"
    );

    let mut card = FakeCard::new(recipe.size(), Fault::NeverSyncs);
    let error = write(&raw, &mut card).unwrap_err();
    assert!(card.is_dead());
    let FlashError::Failed { source, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(*source, FlashError::Sync { .. }), "{source}");
}

#[test]
fn a_damaged_or_cut_download_never_becomes_a_card_that_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let packed = compress(raw.path());
    let good = fs::read(&packed).unwrap();
    let path = folder.path().join("damaged.img.zst");
    let mut flipped = good.clone();
    flipped[good.len() * 3 / 4] ^= 1;
    for bytes in [
        flipped,
        good[..good.len() / 2].to_vec(),
        good[..good.len() - 1].to_vec(),
    ] {
        fs::write(&path, bytes).unwrap();
        let mut card = FakeCard::new(recipe.size(), Fault::None);
        let patches = Patches::default();
        // Also when nobody knows the sum.
        let image = Image::open(&path).unwrap();
        let error = flash(&image, &mut card, &options(&patches, None), &Silent).unwrap_err();
        let cause = cause(error, &card);
        assert!(matches!(cause, FlashError::Image(_)), "{cause}");
    }
}

#[test]
fn a_wrong_sum_is_found_before_the_card_can_start() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let packed = Image::open(&compress(raw.path())).unwrap();
    for image in [&raw, &packed] {
        let mut card = FakeCard::new(recipe.size(), Fault::None);
        let patches = Patches::default();
        let wrong = options(&patches, Some([7; 32]));
        let error = flash(image, &mut card, &wrong, &Silent).unwrap_err();
        let cause = cause(error, &card);
        assert!(matches!(cause, FlashError::Sum(_)), "{cause}");
    }
}

#[test]
fn a_card_that_is_too_small_is_not_touched_when_the_size_is_known_and_dead_when_not() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, raw) = image(folder.path(), Kind::Mbr);
    let mut card = FakeCard::new(recipe.size() - 512, Fault::None);
    let error = write(&raw, &mut card).unwrap_err();
    assert!(matches!(error, FlashError::TooLarge { .. }), "{error}");
    assert_eq!(card.written, 0);

    let path = folder.path().join("unknown.img.zst");
    let mut encoder = zstd::Encoder::new(fs::File::create(&path).unwrap(), 1).unwrap();
    io::copy(&mut fs::File::open(raw.path()).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
    let image = Image::open(&path).unwrap();
    assert_eq!(image.content_size(), None);
    let mut card = FakeCard::new(recipe.size() - 512, Fault::None);
    let error = write(&image, &mut card).unwrap_err();
    let cause = cause(error, &card);
    assert!(matches!(cause, FlashError::Overflow { .. }), "{cause}");
}

#[test]
fn a_block_map_saves_writes_and_can_leave_out_nothing_but_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = Recipe::new(Kind::Mbr, 16);
    recipe.rest = 8;
    let path = recipe.make(folder.path());
    let image = Image::open(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let blocks: Vec<u64> = (0..)
        .zip(bytes.chunks(4096))
        .filter(|(_, block)| block.iter().any(|byte| *byte != 0))
        .map(|(number, _)| number)
        .collect();
    let map = |blocks: &[u64]| {
        let ranges: String = blocks
            .iter()
            .map(|n| format!("<Range> {n} </Range>"))
            .collect();
        let text = format!(
            "<bmap version=\"2.0\"><ImageSize>{}</ImageSize><BlockSize>4096</BlockSize>\
             <BlockMap>{ranges}</BlockMap></bmap>",
            bytes.len()
        );
        Bmap::parse(&text).unwrap()
    };
    let whole = map(&blocks);
    let patches = customise::patches(&image, &settings()).unwrap();
    let with = |map| Options {
        patches: &patches,
        expected: None,
        bmap: Some(map),
        read_back: true,
    };
    let mut card = FakeCard::new(recipe.size(), Fault::None);
    card.medium.fill(0);
    let done = flash(&image, &mut card, &with(&whole), &Silent).unwrap();
    assert!(done.written < done.size, "something was left out");
    let mut expected = bytes.clone();
    patches.apply(0, &mut expected);
    assert!(card.medium == expected);
    // A map of another image: a stretch with data is missing.
    let data = common::FAT_START + recipe.fat * MIB + MIB;
    let fewer: Vec<u64> = blocks
        .iter()
        .copied()
        .filter(|block| !(data..data + 2 * MIB).contains(&(block * 4096)))
        .collect();
    let wrong = map(&fewer);
    let mut card = FakeCard::new(recipe.size(), Fault::None);
    let error = flash(&image, &mut card, &with(&wrong), &Silent).unwrap_err();
    let cause = cause(error, &card);
    assert!(
        matches!(cause, FlashError::Bmap { at } if at >= data),
        "{cause}"
    );
}

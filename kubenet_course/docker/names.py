"""Names for containers that were given none: an adjective and somebody who moved networks or science on."""

from __future__ import annotations

ADJECTIVES = (
    "able agile amber ample brave breezy bright brisk calm candid careful cheerful civil clear clever cosy "
    "crisp curious dapper daring deft eager earnest easy elated fair famous fleet focused frank fresh friendly "
    "gallant gentle glad golden graceful grand happy hardy hearty honest hopeful humble jolly jovial keen kind "
    "lively loyal lucid lucky merry mellow mindful modest neat nimble noble patient placid plucky polite proud "
    "quick quiet rapid ready robust serene sharp shiny silent smart snappy solid spry steady stoic sturdy sunny "
    "swift tender thrifty tidy trusty upbeat vivid warm wise witty zesty"
).split()
SURNAMES = (
    "baran bell berners_lee boggs boole cailliau cerf clark clarke cray crocker dalal davies dijkstra dixon "
    "engelbart estrin feinler floyd goldberg gray hamilton hamming holberton hopper huffman jacobson johnson "
    "kahn kapor karels keller kirstein kleinrock knuth lamarr lamport leiner licklider liskov lovelace mockapetris "
    "metcalfe moore morris naur nygaard partridge perlis perlman perrin postel pouzin ramakrishnan reynolds ritchie "
    "roberts saltzer shannon sifakis stallings sutherland taylor thompson tomlinson torvalds turing van_rossum "
    "vixie von_neumann walden wilkes wirth zimmermann zuse"
).split()


def pick(randomness: bytes, retry: int = 0) -> str:
    """A name from four random bytes; after a clash, a digit is added as Docker does."""
    left, right = int.from_bytes(randomness[:2], "big"), int.from_bytes(randomness[2:4], "big")
    name = f"{ADJECTIVES[left % len(ADJECTIVES)]}_{SURNAMES[right % len(SURNAMES)]}"
    return f"{name}{retry}" if retry else name

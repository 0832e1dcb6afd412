"""Names of structures that an object holds, without what somebody may have typed there.

Segment Label and ROI Name are free text: "liver", but also "ask Dr Smith". A code's own
name is used where there is one that presets know; else the text, if each of its words is
one of anatomy or radiotherapy; else a number. Names become file names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medrecon.core import known_labels
from medrecon.dicom.vocabulary import known_body_part

_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
# Beside the body parts of PS3.16 Annex L and the presets' names: structures, sides and
# purposes as AAPM TG-263 and segmentation models spell them.
_WORDS_TEXT = """
adipose airway airways aneurysm anterior artery arteries ascending atrium blood body bone
bones bowel brachial brainstem bronchi calcification canal capillary cartilage caudal caval
cavity cerebral cervical chiasm cochlea condyle connective cord coronary cortex cranial csf
ctv cyst descending disc disk distal dorsal edema endocardium esophagus external eyes fat
femoral femur fibula fluid fossa gland globe gray great grey gross gtv hematoma hemorrhage
hepatic hippocampus humeral iliac iliopsoas implant inferior inner inside internal
intervertebral isthmus itv joint kidneys labyrinth lateral left lens lesion ligament lobe
lobes lower lumbar lumen lungs lymph mandible marrow mass matter maxilla medial medulla
meniscus mesh metal mid middle muscle muscles myocardium necrosis neoplasm nerve nerves node
nodes nodule optic organ outer outside palate paravertebral parenchyma patient pelvic
petrous phantom pleura polyp portal posterior primary prostate proximal ptv pulmonary radius
renal right roi sac sacral sacrum seminal septum sigmoid skin small soft sphere spinal
structure superior tail teeth temporal tendon thoracic thorax tibial tissue tooth trabecular
trunk tumor tumour ulna unknown upper vein veins vena ventral ventricle ventricular
ventricles vertebra vertebrae vertebral vessel vessels volume wall white whole
ct mr mri pet adc background first second third segment label mask
"""
_WORDS = frozenset(_WORDS_TEXT.split())
_LONGEST = 40


def safe_name(texts: Sequence[str], code: str, fallback: str) -> str:
    """Lower-case words joined by underscores.

    Parameters
    ----------
    texts : sequence of str
        Segment Label or ROI Name, then a code's meaning: the first that may be shown.
    code : str
        SNOMED CT concept, or empty.
    fallback : str
        What it is called if no text may be shown.

    Examples
    --------
    >>> safe_name(["Left Kidney"], "", "roi_1"), safe_name(["Mr Smith"], "", "roi_1")
    ('left_kidney', 'roi_1')
    """
    for known in known_labels().values():
        if code and known.code is not None and known.code.value == code:
            return known.name
    for text in texts:
        words = [w.lower() for w in _WORD.findall(text)]
        if words and all(map(_may_be_shown, words)):
            return "_".join(words)[:_LONGEST].rstrip("_")
    return fallback


def distinct_names(names: list[str]) -> list[str]:
    """The same names; the second of two equal ones gets a number, and so on."""
    used: set[str] = set()
    result = []
    for name in names:
        candidate, n = name, 2
        while candidate in used:
            candidate, n = f"{name}_{n}", n + 1
        used.add(candidate)
        result.append(candidate)
    return result


def _may_be_shown(word: str) -> bool:
    if word.isdigit():
        return len(word) <= 2
    preset = {w for name in known_labels() for w in name.split("_")}
    return len(word) == 1 or word in _WORDS or word in preset or bool(known_body_part(word.upper()))

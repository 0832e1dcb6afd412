"""Words that may be shown: defined terms of the standard, never free text."""

from __future__ import annotations

import re

# Body Part Examined: the defined terms of PS3.16 Annex L, table L-1, that CT and MR use.
_BODY_PARTS_TEXT = """
ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BILEDUCT BLADDER BRAIN BREAST
BRONCHUS BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN
CHESTABDPELVIS CSPINE CTSPINE CLAVICLE COCCYX COLON CORNEA CORONARYARTERY DUODENUM EAR
ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT GALLBLADDER HAND HEAD
HEADNECK HEART HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER
LSPINE LSSPINE LUNG MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN
NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE
RECTUM RIB SCALP SCAPULA SCLERA SCROTUM SHOULDER SIJOINT SINUS SKULL SPINE SPLEEN SSPINE
STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THUMB THYMUS THYROID TIBIA TLSPINE TMJ TOE
TONGUE TRACHEA TSPINE URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA
"""
_BODY_PARTS = frozenset(_BODY_PARTS_TEXT.split())

_SHARP_NAMES_TEXT = """
BONE BONEPLUS LUNG EDGE DETAIL ULTRA YA YB YC YD D E L EC YE BONE+ LUNG+ EB
"""
_SHARP_NAMES = frozenset(_SHARP_NAMES_TEXT.split())
_SOFT_NAMES_TEXT = """
STANDARD STD STD+ SOFT CHST A B C SA SB SC UA UB SOFT+ STND STANDARD+ ROUTINE SMOOTH
"""
_SOFT_NAMES = frozenset(_SOFT_NAMES_TEXT.split())
# Siemens: letter(s) for the region, then a number that grows with sharpness; 60 and more
# overshoot at edges. Canon and Toshiba: FC30–FC39 and FC50–FC59, FC80–FC86 are high-resolution.
_SIEMENS = re.compile(r"^[A-Z]{1,2}(\d{2})[A-Z]?(\\|$|_|\d)?")
_TOSHIBA = re.compile(r"^FC(\d{2})")
_SIEMENS_SHARP = 55


def known_body_part(body_part: str) -> str:
    """The body part if it is a defined term (PS3.16 Annex L), else empty."""
    return body_part if body_part in _BODY_PARTS else ""


def sharpness(kernel: str) -> str:
    """Return "sharp" or "soft" for a reconstruction kernel that is known, else empty.

    Convolution Kernel (0018,1210) is free text by vendor; only its class is kept.
    """
    if kernel in _SHARP_NAMES:
        return "sharp"
    if kernel in _SOFT_NAMES:
        return "soft"
    toshiba = _TOSHIBA.match(kernel)
    if toshiba:
        return "sharp" if int(toshiba[1]) // 10 in (3, 5, 8) else "soft"
    siemens = _SIEMENS.match(kernel)
    if siemens:
        return "sharp" if int(siemens[1]) >= _SIEMENS_SHARP else "soft"
    return ""


def known_laterality(laterality: str) -> str:
    """Return "L" or "R", else empty."""
    return laterality if laterality in ("L", "R") else ""

"""Words that say how a picture was made and nothing of whom: what is no such word is not kept.

A pattern for "looks like a code" lets a name in capitals pass; a closed list does not.
"""

import re
from collections.abc import Iterable

from opencmr.accents import without_accents
from opencmr.intake.dicom.scaling import MAP_WORD


def listed(words: str) -> frozenset[str]:
    """Return the words of a text.

    >>> sorted(listed("M P"))
    ['M', 'P']
    """
    return frozenset(words.split())


TERMS = listed(
    # PS3.3 C.7.6.1, C.8.3.1 and C.8.13: kind of picture and of frame, and what vendors add.
    "L ORIGINAL DERIVED PRIMARY SECONDARY OTHER MIXED NONE M P R I MAG MAGNITUDE PHASE REAL "
    "IMAGINARY VELOCITY PCA FFE M_FFE P_FFE R_FFE I_FFE M_SE P_SE R_SE I_SE M_IR P_IR R_IR I_IR "
    "M_PCA P_PCA R_PCA I_PCA M_TSE M_GRE PSIR MOCO RETRO NORM ND DIS2D DIS3D FIL MFSPLIT "
    "CSAPARALLEL CSA MPR MIP MEAN SUB ADD ADDITION SUBTRACTION CINE PERFUSION DENSE TAGGING "
    "SPAMM DIXON WATER FAT IN_PHASE OUT_PHASE STRESS REST FLOW DIFFUSION FILTERED RESAMPLED "
    "PROTON_DENSITY T1 T2 T2* T2_STAR R1 R2 R2* ECV T1_MAP T2_MAP T1MAP T2MAP T2*_MAP T2*MAP "
    "T2_STAR_MAP VOLUME DISTORTED SAMPLED MAX_IP MIN_IP MEDIAN QUANTITY "
    # Modality, pulse sequence and its options (PS3.3 C.8.3.1.1); GE adds its name.
    "MR OT SE IR GR EP RM SK MTC SS TRSS SP MP OSP PER RG CG PPG FC PFF PFP FS CT FAST_GEMS "
    "CARD_GEMS SEQ_GEMS EDR_GEMS FILTERED_GEMS ACC_GEMS SAT_GEMS IR_GEMS DB_GEMS NPW_GEMS "
    "VASCTOF_GEMS TAG_GEMS PHASE_GEMS FLOWCOMP_GEMS EPI_GEMS FSE_GEMS SS_GEMS RESP_COMP_GEMS "
    "MULTI_PHASE_GEMS CINE_GEMS CARD_COMP_GEMS ASSET_GEMS PFF_GEMS SPIN GRADIENT BOTH SPOILED "
    "UNSPOILED RF RF_AND_GRADIENT GRADIENT_AND_RF STEADY FREE_PRECESSION TRANSVERSE "
    "TIME_REVERSED LONGITUDINAL FAT_AND_WATER SILICON_GEL WATER_AND_FAT 2D 3D 4D 1D YES NO Y N "
    "ROW COL COLUMN ONE TWO RECTILINEAR RADIAL SPIRAL LINEAR CENTRIC SEGMENTED REVERSE_LINEAR "
    "REVERSE_CENTRIC FULL PARTIAL CYLINDRICAL ELLIPSOIDAL EVEN ODD SINGLE MULTIPLE "
    "PHASE_CONTRAST FREQUENCY SELECTIVE TOF INVERSION_RECOVERY SATURATION "
    # Gating (PS3.3 C.7.6.18).
    "REALTIME PROSPECTIVE RETROSPECTIVE PACED ECG VCG PP MR_NAVIGATOR BREATH_HOLD "
    "FREE_BREATHING "
    # How the patient lies, and what part (PS3.3 C.7.3.1.1.2; PS3.16 annex L).
    "HFS HFP HFDR HFDL FFS FFP FFDR FFDL LFP LFS RFP RFS AFDR AFDL PFDR PFDL HEART CHEST THORAX "
    "CARDIAC AORTA CORONARYARTERY WHOLEBODY BODY ABDOMEN HEAD BRAIN NECK SPINE PELVIS KNEE "
    "SHOULDER PROSTATE BREAST ANKLE WRIST HIP LIVER "
    # Pixels and what they stand for.
    "MONOCHROME1 MONOCHROME2 MONOCHROME IDENTITY INVERSE TRUE_COLOR COLOR ISO_10918_1 "
    "ISO_14495_1 ISO_15444_1 00 01 PRODUCT RESEARCH SERVICE US UNSPECIFIED NORMALIZED HU "
    "3D_TEMPORAL LOW HIGH IEC FDA MPR_SAMPLED 1H"
) | frozenset(
    {"PHASE MAP", "VELOCITY MAP", "T1 MAP", "T2 MAP", "T2* MAP", "T2_STAR MAP", "ECV MAP"}
    | {"PHASE CONTRAST", "DENSITY MAP", "ms", "s", "msec", "cm/s", "mm/s", "normalized", "rad"}
)
"""Values of code strings: defined terms of PS3.3, and those that scanners write beside them."""
UNITS = frozenset({"ms", "s", "msec", "1", "%", "cm/s", "mm/s", "1/s", "[arb'U]", "no units"})
"""Codes of units (UCUM)."""
FILTERED = re.compile(r"FM\d{0,2}(_\d)?|SC\d")
"""Siemens' names of the image filter's strength."""
UNKNOWN_TERM = "OTHER"
"""Stands for a kind of picture, or a unit, that is on no list (a defined term of ImageType)."""

PULSE_SEQUENCE = re.compile(
    r"\*?(?:fl|flr|fldyn|fi|tfi|tfir|tfl|tse|tseB|tir|tirB|tgse|se|seb|ep|epfid|epse|epir|ep_b|qfl|"
    r"re|ir|h|hir|spc|spcir|spcR|spcriR|ce|dess|de|mbep|gre|cs|me)[23]d\d{0,2}(?:r|rr|rs|st|t|at)?"
    r"\d{0,3}(?:tag|rb|s)?(?:_(?:tag|grid)?\d{0,3}|_v\d{1,3}(?:in|ap|rl|fh|tp)?)?"
)
"""As Siemens writes it (``*tfi2d1_10``, ``fl2d1_v150in``): the velocity encoding stands in it."""
OTHER_SEQUENCES = listed(
    "fiesta fiestacine fgre fgret fgretag efgre3d spgr fspgr fse fse-xl ssfse dbfse irfgre mde "
    "2dmde 3dmde fastcine 2dfast fcine fcard fastcard fmppc 2dpc pc perfusion fgreet smart1 "
    "molli sasha trufi flash haste ffe tfe b-ffe b-tfe bffe btfe t1ffe t1tfe tse epi se gre "
    "spamm cspamm dense bssfp ssfp"
)
"""As other scanners do (GE 0019,109C; Philips)."""

WORDS = listed(
    # Views and planes: abbreviations, English, German, French, Spanish.
    "2 3 4 aorte aortique aortica camara "
    "sax sa ksa ka sx lax la short shortax axis long axial kurze achse kurzachse kurzachsen "
    "lange langachse petit court grand axe eje corto largo 2ch 3ch 4ch 2c 3c 4c 2k 3k 4k 2cam "
    "3cam 4cam 2cav 3cav 4cav ch chamber chambers cavites camaras kammer kammerblick 2kammer "
    "3kammer 4kammer zweikammer dreikammer vierkammer twochamber threechamber fourchamber two "
    "three four deux trois quatre dos tres cuatro zwei drei vier vla hla aplax rvla vertical "
    "horizontal rvot lvot rv lv vd vg droite droit gauche derecho derecha izquierdo izquierda "
    "right left outflow tract out ventricle ventricular ausfluss chambre chasse tracto salida "
    "ao aorta aortic candycane candy cane transaxial transversal tra cor coronal sag sagittal "
    "base basal mid apex apical stack 3d 2d "
    # Techniques.
    "cine cinetique trufi truefisp fiesta bffe btfe ssfp bssfp gre flash fgre spgr tfl tfi fl2d "
    "fl3d ffe tfe tse fse se epi retro retrospective prospective rt realtime real time free "
    "breathing freebreathing breath hold echtzeit temps reel respiration libre tiempo "
    "respiracion lge psir mdme pde mde ce ir de hr overview late delayed enhancement viability "
    "viab spat spates spate spatenhancement vitalitat retard retarde rehaussement tardif realce "
    "tardio viabilidad ps phase phasensensitiv phasensensitive sensitive sensible fase mag "
    "magnitude magnitud molli shmolli sasha smart1 t1 t2 t2* t1map t2map map mapa carte karte "
    "kartierung cartographie mapping native nativ nativa t2prep prep prepared grase t2star star "
    "stern t2s flow qflow venc pc qf velocity contrast fluss flussmessung flux contraste flujo "
    "perf perfusion first pass firstpass premier passage primer paso dynamic dyn spamm cspamm "
    "tag tags tagging tagged grid marquage grille marcado rejilla dense haste db bb dark black "
    "blood stir tirm blut schwarz sang noir sangre negra loc scout localizer localiser survey "
    "plan planning planscan ubersicht lokalisierer planung reperage localisateur localizador ti "
    "tiscout titest tiloc test look locker suche bestimmung prueba cineir p pha phasen moco "
    "motion corrected segmented single shot ss ssh nav navigator "
    # What a picture is not, and what is left of a fit.
    "fitpar fitparam fitparams rsquare rsquared square squared chisq chi sd r2 residual "
    "residuals goodness error confidence fehlerkarte residuen residu residus residuo residuos "
    "brain head knee spine prostate pelvis shoulder ankle wrist breast mprage kopf knie "
    "wirbelsaule becken schulter cerveau genou rachis bassin epaule cerebro rodilla columna "
    "hombro "
    # Under which circumstances.
    "stress dobutamine dobu adenosine adeno regadenoson dipyridamole persantin exercise "
    "ergometer peak rest resting baseline belastung ruhe effort repos esfuerzo estres reposo "
    "post postgd pre after before nach vor apres avant tras gd gad gado gadolinium cm km "
    "kontrast kontrastmittel injection postcontraste at per con sin mit ohne und"
)
"""Words of descriptions, lower case without accents; each says what or how, in five languages."""
CHINESE = (
    "右心室流出道 左心室流出道 右室流出道 左室流出道 右室两腔 右心两腔 自由呼吸 延迟强化 "
    "延迟增强 相位敏感 相位对比 反转时间 两房室 主动脉 短轴 两腔 二腔 2腔 三腔 3腔 "
    "四腔 4腔 电影 实时 延迟 t1图 t1定量 t2图 t2定量 残差 误差图 流速 血流 "
    "灌注 首过 标记 黑血 ti定位 定位 负荷 静息 增强后 颅 脑 膝 脊柱 盆腔"
)
"""The same between spaces; a longer one stands before those that it holds."""
REMOVED = "x"
"""Stands for words that are on no list, so that their neighbours do not become neighbours."""
_KNOWN_CHINESE = re.compile(CHINESE.replace(" ", "|"))
_COMPOUND = re.compile(
    "(?:"
    + "|".join(
        re.escape(word)
        for word in sorted(WORDS, key=len, reverse=True)
        if len(word) > 2 or (len(word) == 2 and word[0].isdigit())
    )
    + ")+"
)


def known_terms(values: Iterable[str], *, keeps_places: bool = False) -> list[str]:
    """Return the values of a code string that are known terms.

    With ``keeps_places`` (ImageType), another stands for one that is not.

    >>> known_terms(["ORIGINAL", "JANE DOE", "M"], keeps_places=True)
    ['ORIGINAL', 'OTHER', 'M']
    """
    found = [_known_term(str(one).strip(), UNKNOWN_TERM * keeps_places) for one in values]
    return [one for one in found if one]


def _known_term(stated: str, otherwise: str) -> str:
    if not stated or stated in TERMS or FILTERED.fullmatch(stated):
        return stated
    named = MAP_WORD.fullmatch(stated)
    return f"{named[1].replace(' ', '_')}_MAP" if named else otherwise


def is_pulse_sequence(name: str) -> bool:
    """Return whether a name is one that a scanner gives a pulse sequence.

    >>> is_pulse_sequence("*tfi2d1_10"), is_pulse_sequence("jane2d1")
    (True, False)
    """
    return bool(PULSE_SEQUENCE.fullmatch(name)) or name.lower() in OTHER_SEQUENCES


def cleaned_description(text: str, names: Iterable[str] = ()) -> str:
    """Return a description of which only known words are left, in lower case without accents.

    Parameters
    ----------
    text : str
    names : iterable of str
        Of people and patients in the same file: a word of theirs is not kept, known or not.

    Examples
    --------
    >>> cleaned_description("cine_trufi_retro 4CH Jane")
    'cine trufi retro 4ch x'
    >>> cleaned_description("Rest perfusion", names=["Rest^Jane"])
    'x perfusion'
    """
    forbidden = {word for name in names for word in _words(name)}
    kept: list[str] = []
    for word in _words(text):
        for part in _known_parts(word, forbidden):
            if part != REMOVED or kept[-1:] != [REMOVED]:
                kept.append(part)
    return " ".join(kept) if set(kept) - {REMOVED} else ""


def _words(text: str) -> list[str]:
    return re.findall(r"t2\*|[^\W_]+", without_accents(text).lower())


def _known_parts(word: str, forbidden: set[str]) -> list[str]:
    if word in forbidden:
        return [REMOVED]
    if word in WORDS or _COMPOUND.fullmatch(word):
        return [word]
    found = _KNOWN_CHINESE.findall(word)
    return found if found and "".join(found) == word else [*found, REMOVED]

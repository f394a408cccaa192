"""What series are called: patterns by what they speak for and by language.

For lower-case words without accents that are separated by single spaces (see
``evidence.words_of``).  Chinese is written without spaces.  What a human typed is evidence, never
proof.  Collected from vendors' protocol trees and from the abbreviations that hospitals use; none
was taken from a data set.
"""

from collections.abc import Mapping

Languages = Mapping[str, str]

SHORT_AXIS: Languages = {
    "abbreviations": r"\b(sax|sa|ksa|ka|sx)\b|\bsax",
    "English": r"\bshort\b(?! t)|shortax",
    "German": r"\bkurze? ?achse\w*|\bkurzachs\w*",
    "French": r"\bpetit axe\b|\bcourt axe\b",
    "Spanish": r"\beje corto\b",
    "Chinese": "短轴",
}
TWO_CHAMBER: Languages = {
    "abbreviations": r"\b2 ?(ch|k|c|cam|cav)\b|\b2 ?ch|\bvla\b",
    "English": r"\btwo ?ch|vertical long",
    "German": r"\b(2|zwei) ?kammer",
    "French": r"\b(2|deux) cavites\b|grand axe vertical",
    "Spanish": r"\b(2|dos) camaras\b|eje largo vertical",
    "Chinese": "两腔|二腔|2腔|两房室",
}
THREE_CHAMBER: Languages = {
    "abbreviations": r"\b3 ?(ch|k|c|cam|cav)\b|\b3 ?ch|\baplax\b|\blvot\b",
    "English": r"\bthree ?ch",
    "German": r"\b(3|drei) ?kammer",
    "French": r"\b(3|trois) cavites\b",
    "Spanish": r"\b(3|tres) camaras\b",
    "Chinese": "三腔|3腔",
}
FOUR_CHAMBER: Languages = {
    "abbreviations": r"\b4 ?(ch|k|c|cam|cav)\b|\b4 ?ch|\bhla\b",
    "English": r"\bfour ?ch|horizontal long",
    "German": r"\b(4|vier) ?kammer",
    "French": r"\b(4|quatre) cavites\b|grand axe horizontal",
    "Spanish": r"\b(4|cuatro) camaras\b|eje largo horizontal",
    "Chinese": "四腔|4腔",
}
RIGHT_OUTFLOW: Languages = {
    "abbreviations": r"\brvot\b",
    "English": r"right out|right ventric\w+ out",
    "German": r"rv ausfluss",
    "French": r"chambre de chasse (vd|droite)",
    "Spanish": r"tracto de salida (del )?(vd|derecho)",
    "Chinese": "右室流出道|右心室流出道",
}
LEFT_OUTFLOW: Languages = {
    "abbreviations": r"\blvot\b",
    "English": r"left out|left ventric\w+ out",
    "German": r"lv ausfluss",
    "French": r"chambre de chasse (vg|gauche)",
    "Spanish": r"tracto de salida (del )?(vi|izquierdo)",
    "Chinese": "左室流出道|左心室流出道",
}
RIGHT_TWO_CHAMBER: Languages = {
    "abbreviations": r"\brv ?(2 ?ch|vla|2c)\b|\b2 ?ch rv\b|\brvla\b",
    "English": r"\bright ventric\w+ (2|two) ?ch",
    "German": r"rv (2|zwei) ?kammer",
    "French": r"2 cavites (vd|droit\w*)",
    "Spanish": r"2 camaras (vd|derech\w*)",
    "Chinese": "右室两腔|右心两腔",
}
AORTA: Languages = {
    "abbreviations": r"\bao\b|candy ?cane",
    "English": r"\baort",
    "Chinese": "主动脉",
}

CINE: Languages = {
    "abbreviations": r"\bcine|trufi|fiesta|\bb ?(ffe|tfe)\b|ssfp",
    "French": r"\bcinetique\b",
    "Chinese": "电影",
}
REAL_TIME: Languages = {
    "abbreviations": r"\brt\b|\brealtime\b",
    "English": r"\breal ?time\b|\bfree ?breath\w*",
    "German": r"\bechtzeit\b",
    "French": r"\btemps reel\b|respiration libre",
    "Spanish": r"\btiempo real\b|respiracion libre",
    "Chinese": "实时|自由呼吸",
}
LATE_ENHANCEMENT: Languages = {
    "abbreviations": r"\b(lge|psir|mdme|pde|mde|ce ir)\b",
    "delayed enhancement": r"^de\b|\bde$|\b[23]d de\b"
    r"|\bde (tfl|tfi|fl[23]d|psir|ir|mag|overview|hr|sax?|lax|[234] ?ch)\b",
    "English": r"\b(late|delayed|viab\w*)\b",
    "German": r"\b(spat\w*|vitalitat\w*)\b",
    "French": r"\b(retard|rehaussement tardif|tardif)\b",
    "Spanish": r"\brealce tardio\b|\btardio\b|\bviabilidad\b",
    "Chinese": "延迟强化|延迟增强|延迟",
}
PHASE_SENSITIVE: Languages = {
    "abbreviations": r"\bpsir\b|\bps\b",
    "English": r"phase ?sensitive",
    "German": r"phasensensitiv",
    "French": r"sensible a la phase",
    "Spanish": r"sensible a (la )?fase",
    "Chinese": "相位敏感",
}
MAGNITUDE: Languages = {"abbreviations": r"\bmag\b", "English": r"\bmagni\w*"}
T1_MAPPING: Languages = {
    "abbreviations": r"molli|sasha|smart ?1|\bt1 ?(map|star)",
    "German": r"\bt1 ?(kartierung|karte)",
    "French": r"\bcartographie t1\b|\bcarte t1\b",
    "Spanish": r"\bmapa t1\b",
    "Chinese": "t1图|t1定量",
}
T2_MAPPING: Languages = {
    "abbreviations": r"\bt2 ?(map|prep\w* map|grase)|\bt2 ?prep\b",
    "German": r"\bt2 ?(kartierung|karte)",
    "French": r"\bcartographie t2\b|\bcarte t2\b",
    "Spanish": r"\bmapa t2\b",
    "Chinese": "t2图|t2定量",
}
MAP: Languages = {
    "abbreviations": r"\bt[12] ?map\b",
    "German": r"\bt[12] ?karte\b",
    "French": r"\bcarte t[12]\b",
    "Spanish": r"\bmapa t[12]\b",
    "Chinese": "t[12]图",
}
FIT_REMAINDER: Languages = {
    "abbreviations": r"\bfit ?par\w*|\br ?square\w*|\bchi ?sq\w*|\b(sd|r2) ?map\b",
    "English": r"\bresidual\w*|\bgoodness\b|\b(error|confidence) ?map\b",
    "German": r"\bfehlerkarte\b|\bresiduen\b",
    "French": r"\bresidus?\b|\bcarte d ?erreur",
    "Spanish": r"\bresiduos?\b|\bmapa de error",
    "Chinese": "残差|误差图",
}
T2_STAR: Languages = {"abbreviations": r"\bt2 ?(star|stern)|\bt2s\b"}
FLOW: Languages = {
    "abbreviations": r"\b(q?flow|venc|pc|qf)\b|\b(q?flow|venc|pc)",
    "English": r"\b(velocity|phase contrast)",
    "German": r"\bfluss|\bflussmessung",
    "French": r"\bflux\b|contraste de phase",
    "Spanish": r"\bflujo\b|contraste de fase",
    "Chinese": "流速|相位对比|血流",
}
PERFUSION: Languages = {
    "abbreviations": r"\bperf\b",
    "English": r"perfusion|first ?pass",
    "French": r"premier passage",
    "Spanish": r"\bperfusion\b|primer paso",
    "Chinese": "灌注|首过",
}
TAGGING: Languages = {
    "abbreviations": r"\bspamm\b|\bcspamm\b|\btags?\b",
    "English": r"tagging|\btagged\b|\bgrid\b",
    "French": r"marquage|grille",
    "Spanish": r"\bmarcado\b|\brejilla\b",
    "Chinese": "标记",
}
DENSE: Languages = {"abbreviations": r"\bdense\b"}
BLACK_BLOOD: Languages = {
    "abbreviations": r"haste|\bdb\b|\bbb\b|\bstir\b|\btirm\b|\bt?se db\b|\btse\b|\bfse\b",
    "English": r"(dark|black) ?blood",
    "German": r"\b(schwarz|dunkel)\w* ?blut",
    "French": r"sang noir",
    "Spanish": r"sangre negra",
    "Chinese": "黑血",
}
SCOUT: Languages = {
    "abbreviations": r"\bloc\b",
    "English": r"scout|locali[sz]er|survey|\bplan(ning|scan)?\b"
    r"(?! (petit|court|grand|de|des|axial|coronal|sagittal|[234] ?c|deux|trois|quatre))",
    "German": r"\bubersicht|lokalisier|\bplanung",
    "French": r"\breperage\b|localisateur",
    "Spanish": r"\blocalizador\b|\blocaliz",
    "Chinese": "定位",
}
TI_SCOUT: Languages = {
    "abbreviations": r"\bti ?(scout|test|loc)|\bcine ?ir\b",
    "English": r"look ?locker",
    "German": r"\bti ?(suche|bestimmung)",
    "French": r"\btest (de )?ti\b|reperage (de )?ti\b",
    "Spanish": r"\bprueba (de )?ti\b",
    "Chinese": "ti定位|反转时间",
}
NOT_CARDIAC: Languages = {
    "English": r"\b(brain|head|knee|spine|prostate|pelvis|shoulder|ankle|wrist|breast|mprage)\b",
    "German": r"\b(kopf|knie|wirbelsaule|becken|schulter)\b",
    "French": r"\b(cerveau|genou|rachis|bassin|epaule)\b",
    "Spanish": r"\b(cerebro|rodilla|columna|pelvis|hombro)\b",
    "Chinese": "颅|脑|膝|脊柱|盆腔",
}
STRESS: Languages = {
    "English": r"stress|dobu|adeno|regaden|dipyr|persantin|exerci|ergometer|\bpeak\b",
    "German": r"belastung",
    "French": r"\beffort\b",
    "Spanish": r"\besfuerzo\b|\bestres\b",
    "Chinese": "负荷",
}
REST: Languages = {
    "English": r"\b(at )?rest(ing)?\b|\bbaseline\b",
    "German": r"\bruhe\b",
    "French": r"\brepos\b",
    "Spanish": r"\breposo\b",
    "Chinese": "静息",
}
AFTER_CONTRAST: Languages = {
    "English": r"\b(post|after) ?(gd|gad\w*|contrast|cm)\b|\bpost$|\bpostgd",
    "German": r"\b(post|nach) ?(gd|gad\w*|km|kontrast\w*)\b",
    "French": r"\bapres (gado\w*|injection)\b",
    "Spanish": r"\b(post|tras) ?contraste\b",
    "Chinese": "增强后",
}


def any_language(*topics: Languages) -> str:
    """Return one pattern for what is called so in any of the languages.

    >>> import re
    >>> bool(re.search(any_language(SHORT_AXIS), "cine eje corto"))
    True
    """
    return "|".join(f"(?:{pattern})" for topic in topics for pattern in topic.values())

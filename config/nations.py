"""The three-letter codes of nations in results: those of the National Olympic Committees, which the UCI uses too."""

from typing import Final

_CODES: Final = """
    AFG ALB ALG AND ANG ANT ARG ARM ARU ASA AUS AUT AZE BAH BAN BAR BDI BEL BEN BER BHU BIH BIZ BLR BOL BOT BRA BRN
    BRU BUL BUR CAF CAM CAN CAY CGO CHA CHI CHN CIV CMR COD COK COL COM CPV CRC CRO CUB CYP CZE DEN DJI DMA DOM ECU
    EGY ERI ESA ESP EST ETH FIJ FIN FRA FSM GAB GAM GBR GBS GEO GEQ GER GHA GRE GRN GUA GUI GUM GUY HAI HKG HON HUN
    INA IND IRI IRL IRQ ISL ISR ISV ITA IVB JAM JOR JPN KAZ KEN KGZ KIR KOR KOS KSA KUW LAO LAT LBA LBN LBR LCA LES
    LIE LTU LUX MAD MAR MAS MAW MDA MDV MEX MGL MHL MKD MLI MLT MNE MON MOZ MRI MTN MYA NAM NCA NED NEP NGR NIG NOR
    NRU NZL OMA PAK PAN PAR PER PHI PLE PLW PNG POL POR PRK PUR QAT ROU RSA RUS RWA SAM SEN SEY SGP SKN SLE SLO SMR
    SOL SOM SRB SRI SSD STP SUD SUI SUR SVK SWE SWZ SYR TAN TGA THA TJK TKM TLS TOG TPE TTO TUN TUR TUV UAE UGA UKR
    URU USA UZB VAN VEN VIE VIN YEM ZAM ZIM
"""

NATIONS: Final[frozenset[str]] = frozenset(_CODES.split())
"""Nations with a committee of their own."""

NEUTRAL: Final[frozenset[str]] = frozenset({"AIN", "EOR", "ROC", "INT"})
"""Under a neutral flag: Individual Neutral Athletes, the refugee team, ROC (2021 and 2022), mixed teams."""


def is_nation(code: str) -> bool:
    """Whether a start list may show this code."""
    return code in NATIONS or code in NEUTRAL

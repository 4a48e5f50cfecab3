"""What of a letter is the person's own: quotations, signatures and footers go, sign-off and PS stay."""

from __future__ import annotations

import pytest

from idiolect.corpus import clean_body

OWN = "Hi Dana,\n\nFriday at three works for me, and I will bring the two drafts.\n\nCheers,\nMara"
QUOTED = "> Can we meet on Friday?\n> \n>> And who brings the drafts?\n> Dana"


@pytest.mark.parametrize(
    "introduction",
    [
        "On Mon, Jan 1, 2024 at 10:00 AM Dana Fox <dana@example.com> wrote:",
        "On Mon, Jan 1, 2024 at 10:00 AM Dana Fox\n<dana@example.com> wrote:",
        "On 01.01.2024 10:00, Dana Fox wrote:",
        "On 2024-01-01, at 10:00,\nDana Fox with a rather long name\n<dana@example.com>\nwrote:",
        "Am 01.01.2024 um 10:00 schrieb Dana Fox:",
        "Am Mo., 1. Jan. 2024 um 10:00 Uhr schrieb Dana Fox <\ndana@example.com>:",
        "Le lun. 1 janv. 2024 à 10:00, Dana Fox <dana@example.com> a écrit :",
        "Le 1 janv. 2024 à 10:00, Dana Fox <dana@example.com> a\u00a0écrit\u00a0:",
        "El lun, 1 ene 2024 a las 10:00, Dana Fox (<dana@example.com>) escribió:",
        "Il giorno lun 1 gen 2024 alle ore 10:00 Dana Fox <dana@example.com> ha scritto:",
        "Op ma 1 jan 2024 om 10:00 schreef Dana Fox <dana@example.com>:",
        "Den mån 1 jan. 2024 kl 10:00 skrev Dana Fox <dana@example.com>:",
        "W dniu 1.01.2024 o 10:00, Dana Fox napisał(a):",
        "пн, 1 янв. 2024 г. в 10:00, Dana Fox <dana@example.com> написал:",
        "2024年1月1日(月) 10:00 Dana Fox <dana@example.com>:",
        "Dana Fox <dana@example.com> writes:",
        "Dana wrote:",
    ],
)
@pytest.mark.parametrize("quoted", [True, False])
def test_quoted_replies_go_in_every_language(introduction: str, quoted: bool) -> None:
    if not quoted and introduction == "Dana wrote:":
        pytest.skip("without date, address or quote marks it may be the person's own line")
    below = QUOTED if quoted else "Can we meet on Friday?\nDana"
    assert clean_body(f"{OWN}\n\n{introduction.replace(chr(160), ' ')}\n\n{below}") == OWN


@pytest.mark.parametrize(
    "block",
    [
        "-----Original Message-----\nFrom: Dana Fox\nSent: Monday, January 1, 2024 10:00 AM\nTo: Mara\nSubject: Friday",
        "From: Dana Fox <dana@example.com>\nSent: Monday, January 1, 2024 10:00 AM\nTo: Mara <m@x.org>\nSubject: RE: Friday",
        "________________________________\nFrom: Dana Fox\nSent: Monday\nTo: Mara\nCc: Lee\nSubject: Friday",
        "________________________________\nVon: Dana Fox\nGesendet: Montag, 1. Januar 2024 10:00\nAn: Mara\nBetreff: AW: Freitag",
        "De : Dana Fox\nEnvoyé : lundi 1 janvier 2024 10:00\nÀ : Mara\nObjet : RE: vendredi",
        "*From:* Dana Fox <dana@example.com>\n*Date:* Monday\n*Subject:* Friday",
        "-----Ursprüngliche Nachricht-----\nVon: Dana",
        "---------- Forwarded message ---------\nFrom: Dana Fox <dana@example.com>\nDate: Mon, Jan 1, 2024\nSubject: Friday\nTo: Mara",
        "Begin forwarded message:\n\nFrom: Dana Fox <dana@example.com>\nSubject: Friday",
        "-------- Weitergeleitete Nachricht --------\nBetreff: Freitag",
    ],
)
def test_answered_and_forwarded_mail_below_goes(block: str) -> None:
    assert clean_body(f"{OWN}\n\n{block}\n\nCan we meet on Friday? I would bring my own notes.\nDana") == OWN


def test_answers_between_and_below_quotations_stay() -> None:
    text = "On 1 Jan 2024, Dana Fox wrote:\n> Can we meet?\n\nYes, on Friday.\n\n> Who brings the drafts?\n\nI do.\n\nMara"
    assert clean_body(text) == "Yes, on Friday.\n\nI do.\n\nMara"


@pytest.mark.parametrize(
    "text",
    [
        "Hi,\n\nI fly on Monday.\nFrom: Berlin\nTo: Lisbon\nDate: 3 May\n\nSee you there,\nMara",
        "Hi,\n\nas Orwell wrote:\n\nGood prose is like a windowpane.\n\nMara",
        "On Monday I wrote the plan:\n\nfirst the roof, then the garden and the walls.\n\nMara",
        "Hi,\n\nthree things:\n\n- the roof\n- the garden\n\n--\n\nand many lines\n" + "\n".join(f"line {n}" for n in range(12)),
        "Hi,\n\nplease call me at +49 170 1234567 when you are there.",
        "Hi,\n\nhere is the form we spoke about on the phone today:\nhttps://example.org/form",
        "Hi,\n\nthis is confidential, please tell nobody about the party.\n\nMara",
        "Thanks,\n\nDirector or not, he has to sign the form like everybody else does in this house.",
        "Hello,\n\nall fine here.\n\nBest,\nMara\n\nPS: Bring the blue folder, tel. 0170 1234567 is Lee's.",
        "Hello,\n\nall fine here.\n\nBest,\nMara\n\np.s. I sent it from my new flat.",
        "Sent from my desk it goes quicker, I promise.\n\nBest, Mara and the two cats",
    ],
)
def test_the_persons_own_lines_stay(text: str) -> None:
    assert clean_body(text, "Mara Keller") == text


@pytest.mark.parametrize(
    "below",
    [
        "-- \nMara Keller\nHead of Parcels\n+49 30 1234567",
        "--\nMara Keller | Parcels",
        "\nSent from my iPhone",
        "\nGet Outlook for iOS <https://aka.ms/o0ukef>",
        "\nVon meinem iPhone gesendet",
        "\nGesendet von Mail für Windows",
        "\nEnvoyé de mon iPhone",
        "\nSent from Yahoo Mail on Android",
        "Head of Parcels\nPost and Sons Ltd\nTel: +49 30 1234567\nmara@example.org",
        "\nMara Keller\nHead of Parcels | Post and Sons\nM: +49 170 1234567 | mara@example.org\nwww.example.org",
        "+49 30 1234567",
        "\nCONFIDENTIALITY NOTICE: This e-mail and any attachment are confidential and intended solely for the recipient.\nIf you are not the"  # noqa: E501
        " intended recipient, please notify the sender and delete it.",
        "\nThis message is confidential and intended only for the use of the addressee. If you have received this message in error, please"
        " notify the sender and delete this message. Unauthorized disclosure is prohibited.",
        "\nDiese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind oder diese E-Mail irrtümlich erhalten"
        " haben, informieren Sie bitte sofort den Absender und vernichten Sie diese Mail.",
        "\nVirus-free. www.avast.com",
        "\n_______________________________________________\nParcels mailing list\nhttps://lists.example.org/listinfo/parcels",
        "\nPlease consider the environment before printing this e-mail.",
        "-- \nMara\n\nThis e-mail is confidential.\n\nSent from my iPad",
    ],
)
def test_what_programs_and_companies_add_goes(below: str) -> None:
    assert clean_body(f"{OWN}\n{below}", "Mara Keller") == OWN


def test_a_postscript_below_the_signature_stays() -> None:
    assert clean_body(f"{OWN}\n-- \nMara Keller\nHead of Parcels\n\nPS: bring the folder") == f"{OWN}\n\nPS: bring the folder"


def test_a_contact_block_above_a_postscript_goes() -> None:
    text = f"{OWN}\nHead of Parcels\nTel: +49 30 1234567\n\nPS: bring the folder"
    assert clean_body(text, "Mara Keller") == f"{OWN}\n\nPS: bring the folder"


def test_hard_line_breaks_are_taken_back_and_others_stay() -> None:
    sentence = (
        "The parcel left the house on Monday and should be with you by the end of this week, unless the snow has other plans for it again."
    )
    first, second = sentence[: sentence.rindex(" ", 0, 76)], sentence[sentence.rindex(" ", 0, 76) + 1 :]
    kept = "\n\nTo do:\n- buy a stamp for the letter\n- write the address\n\nCheers,\nMara"
    assert clean_body(f"Hi,\n\n{first}\n{second}{kept}") == f"Hi,\n\n{sentence}{kept}"


@pytest.mark.parametrize(
    "text", ["On " + "a b " * 50_000 + "wrote", "> " * 100_000, "\n" * 200_000, "From: " * 30_000, "-" * 200_000, "x" * 10**6]
)
def test_long_odd_texts_take_no_long_time(text: str) -> None:
    clean_body(text)

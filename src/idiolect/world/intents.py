"""What the simulated people write about: intents with wordings of the request and of the e-mail.

Knows templates. Knows nothing of styles beyond the marks that a style fills in:
``{slot}`` a fact, ``[I am|I'm]`` plain or contracted, ``<h>`` a place for a hedge, ``^`` a place for a comma or a dash.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXTRAS", "FOLLOW_UPS", "INTENTS", "TAILS", "TOPICS", "Extra", "Intent"]


@dataclass(frozen=True)
class Intent:
    """One thing an e-mail does, in several wordings."""

    name: str
    mood: str
    """ask, tell or thank: which follow-up sentences fit."""
    seed_topic: str
    """What a request proposer is told; several intents share one."""
    slots: tuple[str, ...]
    requests: tuple[str, ...]
    mains: tuple[str, ...]
    lead: str
    """The main sentence when the facts follow as bullet points."""


@dataclass(frozen=True)
class Extra:
    """A second wish that may join any intent."""

    slot: str
    request: str
    sentence: str
    label: str


INTENTS: tuple[Intent, ...] = (
    Intent(
        "move_meeting",
        "ask",
        "changing a plan",
        ("topic", "day", "time"),
        (
            "Ask {recipient} to move the {topic} to {day} at {time}",
            "Tell {recipient} the {topic} has to move to {day}, {time}",
            "Reschedule the {topic} with {recipient} to {day} at {time}",
        ),
        (
            "Could we <h>move the {topic} to {day} at {time}",
            "[I would|I'd] <h>like to move the {topic} to {day} at {time}",
            "Can you <h>shift the {topic} to {day}, {time}",
        ),
        "[I would|I'd] <h>like to move the {topic}",
    ),
    Intent(
        "invite",
        "ask",
        "invitations",
        ("topic", "day", "time", "place"),
        (
            "Invite {recipient} to the {topic} on {day} at {time} in {place}",
            "Write an invitation for {recipient}: {topic}, {day}, {time}, {place}",
        ),
        (
            "Would you <h>come to the {topic} on {day} at {time} in {place}",
            "[I would|I'd] <h>like to invite you to the {topic} on {day} at {time} in {place}",
        ),
        "[I would|I'd] <h>like to invite you to the {topic}",
    ),
    Intent(
        "send_item",
        "ask",
        "documents",
        ("item", "day"),
        (
            "Ask {recipient} to send the {item} by {day}",
            "Request the {item} from {recipient}, due {day}",
            "We need the {item} from {recipient} by {day}",
        ),
        (
            "Could you <h>send me the {item} by {day}",
            "[I would|I'd] <h>need the {item} by {day}",
            "Can you <h>get the {item} to me by {day}",
        ),
        "[I would|I'd] <h>need the {item}",
    ),
    Intent(
        "confirm_order",
        "tell",
        "orders",
        ("code", "amount"),
        ("Confirm order {code} for {amount} to {recipient}", "Tell {recipient} that order {code} over {amount} is fine"),
        ("[I am|I'm] <h>happy to confirm order {code} for {amount}", "Order {code} over {amount} is <h>all fine with us"),
        "[I am|I'm] <h>happy to confirm the order",
    ),
    Intent(
        "thank_item",
        "thank",
        "thanks",
        ("item",),
        ("Thank {recipient} for the {item}", "Say thanks to {recipient} for sending the {item}"),
        ("Thank you for the {item}", "Many thanks for sending the {item}"),
        "Thank you for your help",
    ),
    Intent(
        "apologise_late",
        "tell",
        "apologies",
        ("topic",),
        ("Apologise to {recipient} for coming late to the {topic}", "Say sorry to {recipient} for being late at the {topic}"),
        ("[I am|I'm] sorry that I came late to the {topic}", "Sorry for being late at the {topic}"),
        "[I am|I'm] sorry that I came late",
    ),
    Intent(
        "cancel",
        "tell",
        "changing a plan",
        ("topic", "day"),
        (
            "Cancel the {topic} on {day} with {recipient}",
            "Tell {recipient} the {topic} on {day} is off",
            "Let {recipient} know the {topic} of {day} will not happen",
        ),
        ("We <h>have to cancel the {topic} on {day}", "[I am|I'm] <h>going to cancel the {topic} on {day}"),
        "We <h>have to cancel the {topic}",
    ),
    Intent(
        "decline",
        "tell",
        "invitations",
        ("topic", "day"),
        ("Tell {recipient} I cannot come to the {topic} on {day}", "Decline the {topic} on {day}, to {recipient}"),
        ("I <h>have to miss the {topic} on {day}", "[I am|I'm] <h>not able to come to the {topic} on {day}"),
        "I <h>have to miss the {topic}",
    ),
    Intent(
        "remind_payment",
        "ask",
        "money",
        ("amount", "code", "day"),
        ("Remind {recipient} to pay {amount} for invoice {code} by {day}", "Chase {recipient}: {amount}, invoice {code}, due {day}"),
        ("Could you <h>pay the {amount} for invoice {code} by {day}", "Invoice {code} over {amount} is <h>still open and due {day}"),
        "One invoice is <h>still open",
    ),
    Intent(
        "introduce",
        "tell",
        "people",
        ("person", "topic"),
        ("Introduce {person} to {recipient} for the {topic}", "Tell {recipient} about {person}, who joins the {topic}"),
        ("[I would|I'd] <h>like to introduce {person}, who joins the {topic}", "Please meet {person}, who will work on the {topic}"),
        "[I would|I'd] <h>like to introduce someone new",
    ),
    Intent(
        "ask_review",
        "ask",
        "documents",
        ("item", "day"),
        ("Ask {recipient} to check the {item} before {day}", "Get {recipient} to read the {item} until {day}"),
        ("Could you <h>check the {item} before {day}", "[I would|I'd] <h>like your view of the {item} before {day}"),
        "[I would|I'd] <h>like your view of the {item}",
    ),
    Intent(
        "book_room",
        "ask",
        "places",
        ("place", "day", "time"),
        ("Ask {recipient} to book {place} for {day} at {time}", "Have {recipient} reserve {place}, {day}, {time}"),
        ("Could you <h>book {place} for {day} at {time}", "[I would|I'd] <h>like to have {place} on {day} at {time}"),
        "[I would|I'd] <h>like to have {place}",
    ),
    Intent(
        "report_problem",
        "tell",
        "problems",
        ("item", "place"),
        ("Tell {recipient} the {item} in {place} is broken", "Report the broken {item} in {place} to {recipient}"),
        ("The {item} in {place} is <h>broken", "There is <h>a problem with the {item} in {place}"),
        "There is <h>a problem to look at",
    ),
    Intent(
        "status",
        "tell",
        "progress",
        ("topic", "day"),
        ("Tell {recipient} the {topic} will be ready on {day}", "Update {recipient}: {topic} ready {day}"),
        ("The {topic} will <h>be ready on {day}", "We <h>expect to have the {topic} ready on {day}"),
        "I have news about the {topic}",
    ),
    Intent(
        "ask_advice",
        "ask",
        "progress",
        ("topic",),
        ("Ask {recipient} for advice about the {topic}", "Get advice from {recipient} on the {topic}"),
        ("Could you <h>give me some advice about the {topic}", "[I would|I'd] <h>like your advice on the {topic}"),
        "[I would|I'd] <h>like your advice",
    ),
    Intent(
        "congratulate",
        "thank",
        "thanks",
        ("topic",),
        ("Congratulate {recipient} on the {topic}", "Say well done to {recipient} for the {topic}"),
        ("Congratulations on the {topic}", "Well done with the {topic}"),
        "Congratulations to you",
    ),
    Intent(
        "leave",
        "ask",
        "changing a plan",
        ("day", "day2"),
        ("Ask {recipient} for leave from {day} to {day2}", "Request days off from {recipient}: {day} until {day2}"),
        ("Could I <h>take leave from {day} to {day2}", "[I would|I'd] <h>like to be off from {day} to {day2}"),
        "[I would|I'd] <h>like to take some days off",
    ),
    Intent(
        "order_items",
        "ask",
        "orders",
        ("item", "amount"),
        ("Order the {item} from {recipient} for {amount}", "Ask {recipient} to sell us the {item} at {amount}"),
        ("Could we <h>order the {item} for {amount}", "[I would|I'd] <h>like to buy the {item} for {amount}"),
        "[I would|I'd] <h>like to order something",
    ),
    Intent(
        "share_link",
        "tell",
        "documents",
        ("topic", "link"),
        ("Send {recipient} the link to the {topic}: {link}", "Share {link} with {recipient}, it is about the {topic}"),
        ("The page for the {topic} is {link}", "You can <h>find the {topic} at {link}"),
        "[I have|I've] a link for you",
    ),
    Intent(
        "give_address",
        "tell",
        "people",
        ("person", "address"),
        ("Give {recipient} the address of {person}: {address}", "Tell {recipient} to write to {person} at {address}"),
        ("You can <h>reach {person} at {address}", "The address of {person} is {address}"),
        "[I have|I've] the address you wanted",
    ),
    Intent(
        "lunch",
        "ask",
        "invitations",
        ("day", "time", "place"),
        ("Ask {recipient} for lunch on {day} at {time} in {place}", "Suggest lunch to {recipient}: {day}, {time}, {place}"),
        ("Shall we <h>have lunch on {day} at {time} in {place}", "[I would|I'd] <h>like to have lunch on {day} at {time} in {place}"),
        "[I would|I'd] <h>like to have lunch with you",
    ),
    Intent(
        "announce_person",
        "tell",
        "people",
        ("person", "day"),
        ("Tell {recipient} that {person} starts on {day}", "Announce to {recipient}: {person} joins us {day}"),
        ("You should know that {person} will <h>start on {day}", "[I am|I'm] <h>glad to say that {person} joins us on {day}"),
        "[I am|I'm] <h>glad to say that someone joins us",
    ),
    Intent(
        "refund",
        "ask",
        "money",
        ("amount", "code"),
        ("Ask {recipient} for a refund of {amount} on order {code}", "Demand {amount} back from {recipient} for order {code}"),
        ("Could you <h>refund the {amount} for order {code}", "[I would|I'd] <h>like {amount} back for order {code}"),
        "[I would|I'd] <h>like my money back",
    ),
    Intent(
        "change_place",
        "tell",
        "places",
        ("topic", "place"),
        ("Tell {recipient} the {topic} is now in {place}", "Let {recipient} know that the {topic} moves to {place}"),
        ("The {topic} will <h>be in {place} now", "We <h>have to hold the {topic} in {place}"),
        "There is <h>a change for the {topic}",
    ),
    Intent(
        "hand_over",
        "tell",
        "people",
        ("topic", "person", "day"),
        ("Tell {recipient} that {person} takes over the {topic} on {day}", "Inform {recipient}: {topic} goes to {person} from {day}"),
        ("From {day} the {topic} will <h>be with {person}", "[I am|I'm] <h>going to hand the {topic} to {person} on {day}"),
        "[I am|I'm] <h>going to hand over the {topic}",
    ),
    Intent(
        "quote",
        "tell",
        "money",
        ("item", "amount"),
        ("Offer {recipient} the {item} for {amount}", "Quote {amount} for the {item} to {recipient}"),
        ("We can <h>offer the {item} for {amount}", "The {item} would <h>cost {amount}"),
        "We can <h>make you an offer",
    ),
)
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(intent.seed_topic for intent in INTENTS))

EXTRAS: tuple[Extra, ...] = (
    Extra("item", "and ask for the {item} too", "Please bring the {item} as well", "bring"),
    Extra("reason", "because of {reason}", "The reason is {reason}", "reason"),
    Extra("person", "and say that {person} is coming too", "Note that {person} is coming too", "also"),
    Extra("day", "and ask for an answer by {day}", "Please answer by {day}", "answer by"),
    Extra("count", "and mention that we are {count}", "In all we are {count}", "number"),
    Extra("place", "and say that I will be in {place}", "You can find me in {place}", "find me"),
)

TAILS: dict[str, tuple[str, ...]] = {
    "ask": (
        "as [it is|it's] easier for all of us",
        "so [we are|we're] all set in time",
        "since [that is|that's] the last open point",
        "as [I am|I'm] trying to plan ahead",
        "because [we have|we've] little time left",
    ),
    "tell": (
        "as [you will|you'll] want to know",
        "so [you are|you're] not caught by surprise",
        "and [that is|that's] settled now",
        "so [you do not|you don't] have to ask",
        "and [it is|it's] no trouble at all",
    ),
    "thank": (
        "and [I am|I'm] really grateful",
        "as [it is|it's] a real help",
        "and [that is|that's] no small thing",
        "and [we are|we're] all very glad",
    ),
}
FOLLOW_UPS: dict[str, tuple[str, ...]] = {
    "ask": ("[I will|I'll] take care of the rest.", "[I do not|I don't] want to rush you.", "[It is|It's] not a big task.",
            "[We cannot|We can't] do it without you.", "[That is|That's] all I need for now.", "[I have|I've] no other wish."),
    "tell": ("[I will|I'll] keep you posted.", "[You do not|You don't] have to do anything.", "[That is|That's] all the news for now.",
             "[We will|We'll] sort out the rest.", "[I am|I'm] here for any questions.", "[It is|It's] all under control."),
    "thank": ("[It is|It's] a pleasure to work with you.", "[I will|I'll] not forget it.", "[You have|You've] made my week.",
              "[I am|I'm] very happy about it.", "[That is|That's] how it should be."),
}  # fmt: skip
LONG_FILLERS: tuple[str, ...] = (
    "I know that there is a lot on your desk and that every week is fuller than the last.",
    "On our side all goes well and the whole group is in good spirits these days.",
    "When there is a quiet hour we should sit down with a coffee and talk about the year.",
    "It was good to hear your voice and to learn that things go so well for your family.",
    "The days are busy here and I want to be sure that we do this in a calm way.",
    "We have come a long way since the start and I look back on it with real pleasure.",
    "As always I value your view and I am sure that we will find a good way to do this.",
    "There was a lot of talk about this and in the end all felt that it was the right thing.",
)

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
    """Which tails and follow-up sentences fit."""
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
    moods: tuple[str, ...] = ("ask", "tell", "thank", "sorry", "problem", "praise", "answer")


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
            "Ask {recipient} to join the {topic} on {day} at {time} in {place}",
        ),
        (
            "Would you <h>come to the {topic} on {day} at {time} in {place}",
            "[I would|I'd] <h>like to invite you to the {topic} on {day} at {time} in {place}",
            "It would <h>be good to see you at the {topic} on {day} at {time} in {place}",
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
        (
            "Confirm order {code} for {amount} to {recipient}",
            "Tell {recipient} that order {code} over {amount} is fine",
            "Write to {recipient} that we accept order {code} at {amount}",
        ),
        (
            "[I am|I'm] <h>happy to confirm order {code} for {amount}",
            "Order {code} over {amount} is <h>all fine with us",
            "We <h>accept order {code} at {amount}",
        ),
        "[I am|I'm] <h>happy to confirm the order",
    ),
    Intent(
        "thank_item",
        "thank",
        "thanks",
        ("item",),
        (
            "Thank {recipient} for the {item}",
            "Say thanks to {recipient} for sending the {item}",
            "Let {recipient} know how grateful I am for the {item}",
        ),
        ("Thank you for the {item}", "Many thanks for sending the {item}", "[I am|I'm] grateful to you for the {item}"),
        "Thank you for your help",
    ),
    Intent(
        "apologise_late",
        "sorry",
        "apologies",
        ("topic",),
        (
            "Apologise to {recipient} for coming late to the {topic}",
            "Say sorry to {recipient} for being late at the {topic}",
            "Tell {recipient} I am sorry that I missed the start of the {topic}",
        ),
        (
            "[I am|I'm] sorry that I came late to the {topic}",
            "Sorry for being late at the {topic}",
            "Please forgive me for being late at the {topic}",
        ),
        "[I am|I'm] sorry that I came late",
    ),
    Intent(
        "cancel",
        "sorry",
        "changing a plan",
        ("topic", "day"),
        (
            "Cancel the {topic} on {day} with {recipient}",
            "Tell {recipient} the {topic} on {day} is off",
            "Let {recipient} know the {topic} of {day} will not happen",
        ),
        (
            "We <h>have to cancel the {topic} on {day}",
            "[I am|I'm] <h>going to cancel the {topic} on {day}",
            "The {topic} on {day} will <h>not take place",
        ),
        "We <h>have to cancel the {topic}",
    ),
    Intent(
        "decline",
        "sorry",
        "invitations",
        ("topic", "day"),
        (
            "Tell {recipient} I cannot come to the {topic} on {day}",
            "Decline the {topic} on {day}, to {recipient}",
            "Let {recipient} know that I will miss the {topic} on {day}",
        ),
        (
            "I <h>have to miss the {topic} on {day}",
            "[I am|I'm] <h>not able to come to the {topic} on {day}",
            "I will <h>not make it to the {topic} on {day}",
        ),
        "I <h>have to miss the {topic}",
    ),
    Intent(
        "remind_payment",
        "ask",
        "money",
        ("amount", "code", "day"),
        (
            "Remind {recipient} to pay {amount} for invoice {code} by {day}",
            "Chase {recipient}: {amount}, invoice {code}, due {day}",
            "Ask {recipient} to settle invoice {code} of {amount} by {day}",
        ),
        (
            "Could you <h>pay the {amount} for invoice {code} by {day}",
            "Invoice {code} over {amount} is <h>still open and due {day}",
            "[I would|I'd] <h>like to have the {amount} for invoice {code} by {day}",
        ),
        "One invoice is <h>still open",
    ),
    Intent(
        "introduce",
        "tell",
        "people",
        ("person", "topic"),
        (
            "Introduce {person} to {recipient} for the {topic}",
            "Tell {recipient} about {person}, who joins the {topic}",
            "Let {recipient} meet {person}, our new help with the {topic}",
        ),
        (
            "[I would|I'd] <h>like to introduce {person}, who joins the {topic}",
            "Please meet {person}, who will work on the {topic}",
            "[You will|You'll] <h>work with {person} on the {topic}",
        ),
        "[I would|I'd] <h>like to introduce someone new",
    ),
    Intent(
        "ask_review",
        "ask",
        "documents",
        ("item", "day"),
        (
            "Ask {recipient} to check the {item} before {day}",
            "Get {recipient} to read the {item} until {day}",
            "Have {recipient} look over the {item} before {day}",
        ),
        (
            "Could you <h>check the {item} before {day}",
            "[I would|I'd] <h>like your view of the {item} before {day}",
            "Can you <h>look over the {item} before {day}",
        ),
        "[I would|I'd] <h>like your view of the {item}",
    ),
    Intent(
        "book_room",
        "ask",
        "places",
        ("place", "day", "time"),
        (
            "Ask {recipient} to book {place} for {day} at {time}",
            "Have {recipient} reserve {place}, {day}, {time}",
            "Tell {recipient} we need {place} on {day} at {time}",
        ),
        (
            "Could you <h>book {place} for {day} at {time}",
            "[I would|I'd] <h>like to have {place} on {day} at {time}",
            "Can you <h>reserve {place} for us on {day} at {time}",
        ),
        "[I would|I'd] <h>like to have {place}",
    ),
    Intent(
        "report_problem",
        "problem",
        "problems",
        ("item", "place"),
        (
            "Tell {recipient} the {item} in {place} is broken",
            "Report the broken {item} in {place} to {recipient}",
            "Let {recipient} know that the {item} in {place} does not work",
        ),
        (
            "The {item} in {place} is <h>broken",
            "There is <h>a problem with the {item} in {place}",
            "The {item} in {place} does <h>not work",
        ),
        "There is <h>a problem to look at",
    ),
    Intent(
        "status",
        "tell",
        "progress",
        ("topic", "day"),
        (
            "Tell {recipient} the {topic} will be ready on {day}",
            "Update {recipient}: {topic} ready {day}",
            "Say to {recipient} that we finish the {topic} on {day}",
        ),
        (
            "The {topic} will <h>be ready on {day}",
            "We <h>expect to have the {topic} ready on {day}",
            "[We are|We're] <h>going to finish the {topic} on {day}",
        ),
        "I have news about the {topic}",
    ),
    Intent(
        "ask_advice",
        "ask",
        "progress",
        ("topic",),
        (
            "Ask {recipient} for advice about the {topic}",
            "Get advice from {recipient} on the {topic}",
            "Ask what {recipient} would do about the {topic}",
        ),
        (
            "Could you <h>give me some advice about the {topic}",
            "[I would|I'd] <h>like your advice on the {topic}",
            "Can you <h>tell me what you would do about the {topic}",
        ),
        "[I would|I'd] <h>like your advice",
    ),
    Intent(
        "congratulate",
        "praise",
        "thanks",
        ("topic",),
        (
            "Congratulate {recipient} on the {topic}",
            "Say well done to {recipient} for the {topic}",
            "Tell {recipient} how well the {topic} went",
        ),
        ("Congratulations on the {topic}", "Well done with the {topic}", "The {topic} went really well"),
        "Congratulations to you",
    ),
    Intent(
        "leave",
        "ask",
        "changing a plan",
        ("day", "day2"),
        (
            "Ask {recipient} for leave from {day} to {day2}",
            "Request days off from {recipient}: {day} until {day2}",
            "Ask {recipient} if I can be away from {day} to {day2}",
        ),
        (
            "Could I <h>take leave from {day} to {day2}",
            "[I would|I'd] <h>like to be off from {day} to {day2}",
            "Would it <h>be fine if I am away from {day} to {day2}",
        ),
        "[I would|I'd] <h>like to take some days off",
    ),
    Intent(
        "order_items",
        "ask",
        "orders",
        ("item", "amount"),
        (
            "Order the {item} from {recipient} for {amount}",
            "Ask {recipient} to sell us the {item} at {amount}",
            "Tell {recipient} that we want the {item} for {amount}",
        ),
        (
            "Could we <h>order the {item} for {amount}",
            "[I would|I'd] <h>like to buy the {item} for {amount}",
            "Can you <h>sell us the {item} for {amount}",
        ),
        "[I would|I'd] <h>like to order something",
    ),
    Intent(
        "share_link",
        "tell",
        "documents",
        ("topic", "link"),
        (
            "Send {recipient} the link to the {topic}: {link}",
            "Share {link} with {recipient}, it is about the {topic}",
            "Tell {recipient} to look at {link} for the {topic}",
        ),
        (
            "The page for the {topic} is {link}",
            "You can <h>find the {topic} at {link}",
            "[You will|You'll] <h>see more of the {topic} at {link}",
        ),
        "[I have|I've] a link for you",
    ),
    Intent(
        "give_address",
        "tell",
        "people",
        ("person", "address"),
        (
            "Give {recipient} the address of {person}: {address}",
            "Tell {recipient} to write to {person} at {address}",
            "Let {recipient} have the address of {person}, {address}",
        ),
        (
            "You can <h>reach {person} at {address}",
            "The address of {person} is {address}",
            "[You will|You'll] <h>find {person} at {address}",
        ),
        "[I have|I've] the address you wanted",
    ),
    Intent(
        "lunch",
        "ask",
        "invitations",
        ("day", "time", "place"),
        (
            "Ask {recipient} for lunch on {day} at {time} in {place}",
            "Suggest lunch to {recipient}: {day}, {time}, {place}",
            "Ask if {recipient} has time for lunch in {place} on {day} at {time}",
        ),
        (
            "Shall we <h>have lunch on {day} at {time} in {place}",
            "[I would|I'd] <h>like to have lunch on {day} at {time} in {place}",
            "Would you <h>have lunch with me on {day} at {time} in {place}",
        ),
        "[I would|I'd] <h>like to have lunch with you",
    ),
    Intent(
        "announce_person",
        "tell",
        "people",
        ("person", "day"),
        (
            "Tell {recipient} that {person} starts on {day}",
            "Announce to {recipient}: {person} joins us {day}",
            "Let {recipient} know that {person} is with us from {day}",
        ),
        (
            "You should know that {person} will <h>start on {day}",
            "[I am|I'm] <h>glad to say that {person} joins us on {day}",
            "From {day} {person} will <h>work with us",
        ),
        "[I am|I'm] <h>glad to say that someone joins us",
    ),
    Intent(
        "refund",
        "ask",
        "money",
        ("amount", "code"),
        (
            "Ask {recipient} for a refund of {amount} on order {code}",
            "Demand {amount} back from {recipient} for order {code}",
            "Tell {recipient} to pay back {amount} for order {code}",
        ),
        (
            "Could you <h>refund the {amount} for order {code}",
            "[I would|I'd] <h>like {amount} back for order {code}",
            "Can you <h>pay back the {amount} for order {code}",
        ),
        "[I would|I'd] <h>like my money back",
    ),
    Intent(
        "change_place",
        "tell",
        "places",
        ("topic", "place"),
        (
            "Tell {recipient} the {topic} is now in {place}",
            "Let {recipient} know that the {topic} moves to {place}",
            "Write to {recipient} that we hold the {topic} in {place}",
        ),
        (
            "The {topic} will <h>be in {place} now",
            "We <h>have to hold the {topic} in {place}",
            "[We are|We're] <h>going to have the {topic} in {place}",
        ),
        "There is <h>a change for the {topic}",
    ),
    Intent(
        "hand_over",
        "tell",
        "people",
        ("topic", "person", "day"),
        (
            "Tell {recipient} that {person} takes over the {topic} on {day}",
            "Inform {recipient}: {topic} goes to {person} from {day}",
            "Let {recipient} know that {person} runs the {topic} from {day}",
        ),
        (
            "From {day} the {topic} will <h>be with {person}",
            "[I am|I'm] <h>going to hand the {topic} to {person} on {day}",
            "On {day} {person} will <h>take over the {topic}",
        ),
        "[I am|I'm] <h>going to hand over the {topic}",
    ),
    Intent(
        "quote",
        "tell",
        "money",
        ("item", "amount"),
        (
            "Offer {recipient} the {item} for {amount}",
            "Quote {amount} for the {item} to {recipient}",
            "Tell {recipient} that the {item} costs {amount}",
        ),
        ("We can <h>offer the {item} for {amount}", "The {item} would <h>cost {amount}", "You can <h>have the {item} from us for {amount}"),
        "We can <h>make you an offer",
    ),
    Intent(
        "ask_price",
        "ask",
        "money",
        ("item",),
        (
            "Ask {recipient} what the {item} costs",
            "Ask {recipient} for the price of the {item}",
            "Find out from {recipient} how much the {item} is",
        ),
        (
            "Could you <h>tell me what the {item} costs",
            "[I would|I'd] <h>like to know the price of the {item}",
            "Can you <h>give me a price for the {item}",
        ),
        "[I would|I'd] <h>like to know a price",
    ),
    Intent(
        "ask_start",
        "ask",
        "changing a plan",
        ("topic", "day"),
        (
            "Ask {recipient} when the {topic} on {day} begins",
            "Find out from {recipient} when we start the {topic} on {day}",
            "Ask {recipient} about the start of the {topic} on {day}",
        ),
        (
            "Could you <h>tell me when the {topic} on {day} begins",
            "[I would|I'd] <h>like to know when we start the {topic} on {day}",
            "Can you <h>let me know the start of the {topic} on {day}",
        ),
        "[I would|I'd] <h>like to know when the {topic} begins",
    ),
    Intent(
        "more_time",
        "ask",
        "progress",
        ("item", "day"),
        (
            "Ask {recipient} for time until {day} for the {item}",
            "Tell {recipient} I need until {day} for the {item}",
            "Request more time for the {item} from {recipient}, until {day}",
        ),
        (
            "Could I <h>have time until {day} for the {item}",
            "[I would|I'd] <h>need until {day} for the {item}",
            "Can you <h>wait for the {item} until {day}",
        ),
        "[I would|I'd] <h>need more time for the {item}",
    ),
    Intent(
        "ask_pick_up",
        "ask",
        "places",
        ("item", "place", "time"),
        (
            "Ask {recipient} to pick up the {item} in {place} at {time}",
            "Have {recipient} collect the {item} at {time} in {place}",
            "Tell {recipient} to fetch the {item} from {place} at {time}",
        ),
        (
            "Could you <h>pick up the {item} in {place} at {time}",
            "Can you <h>fetch the {item} from {place} at {time}",
            "[I would|I'd] <h>like you to collect the {item} in {place} at {time}",
        ),
        "[I would|I'd] <h>like you to pick something up",
    ),
    Intent(
        "ask_person",
        "ask",
        "people",
        ("person", "topic"),
        (
            "Ask {recipient} if {person} can join the {topic}",
            "Ask {recipient} to let {person} help with the {topic}",
            "Find out from {recipient} if {person} has time for the {topic}",
        ),
        (
            "Could {person} <h>join the {topic}",
            "[I would|I'd] <h>like to have {person} with us for the {topic}",
            "Can you <h>let {person} help with the {topic}",
        ),
        "[I would|I'd] <h>like to ask about someone",
    ),
    Intent(
        "share_costs",
        "ask",
        "money",
        ("amount", "topic"),
        (
            "Ask {recipient} to pay {amount} for the {topic}",
            "Tell {recipient} that the share for the {topic} is {amount}",
            "Collect {amount} from {recipient} for the {topic}",
        ),
        (
            "Could you <h>send me {amount} for the {topic}",
            "Your share of the {topic} would <h>be {amount}",
            "Can you <h>give me the {amount} for the {topic}",
        ),
        "[I would|I'd] <h>like to settle the costs",
    ),
    Intent(
        "complain",
        "problem",
        "problems",
        ("item", "code"),
        (
            "Complain to {recipient} about the {item} of order {code}",
            "Tell {recipient} that the {item} of order {code} came damaged",
            "Write to {recipient} that order {code} came with a bad {item}",
        ),
        (
            "[I am|I'm] <h>not happy with the {item} of order {code}",
            "The {item} of order {code} <h>came damaged",
            "Order {code} <h>came with a bad {item}",
        ),
        "[I am|I'm] <h>not happy with the order",
    ),
    Intent(
        "lost_item",
        "problem",
        "problems",
        ("item", "place", "day"),
        (
            "Tell {recipient} that I lost the {item} in {place} on {day}",
            "Let {recipient} know that the {item} is missing in {place} since {day}",
            "Report to {recipient}: {item} lost in {place} on {day}",
        ),
        (
            "The {item} <h>got lost in {place} on {day}",
            "[I have|I've] <h>not seen the {item} in {place} since {day}",
            "On {day} the {item} <h>got lost in {place}",
        ),
        "[I have|I've] <h>not found the {item}",
    ),
    Intent(
        "deliver",
        "tell",
        "orders",
        ("item", "day", "place"),
        (
            "Tell {recipient} that the {item} comes to {place} on {day}",
            "Let {recipient} know that we bring the {item} to {place} on {day}",
            "Announce to {recipient}: {item}, {place}, {day}",
        ),
        (
            "The {item} will <h>come to {place} on {day}",
            "[We will|We'll] <h>bring the {item} to {place} on {day}",
            "On {day} the {item} will <h>be in {place}",
        ),
        "[We will|We'll] <h>bring the {item}",
    ),
    Intent(
        "remind_event",
        "tell",
        "invitations",
        ("topic", "day", "time"),
        (
            "Remind {recipient} of the {topic} on {day} at {time}",
            "Remind {recipient}: {topic}, {day}, {time}",
            "Write to {recipient} that the {topic} is on {day} at {time}",
        ),
        (
            "The {topic} is <h>on {day} at {time}",
            "[We will|We'll] <h>meet for the {topic} on {day} at {time}",
            "Please think of the {topic} on {day} at {time}",
        ),
        "The {topic} is <h>coming up",
    ),
    Intent(
        "recommend",
        "tell",
        "people",
        ("person", "topic"),
        (
            "Recommend {person} to {recipient} for the {topic}",
            "Tell {recipient} that {person} would be right for the {topic}",
            "Suggest {person} for the {topic} to {recipient}",
        ),
        (
            "[I would|I'd] <h>choose {person} for the {topic}",
            "For the {topic} {person} would <h>be the right choice",
            "I can <h>recommend {person} for the {topic}",
        ),
        "[I would|I'd] <h>recommend someone",
    ),
    Intent(
        "away",
        "tell",
        "changing a plan",
        ("day", "day2"),
        (
            "Tell {recipient} that I am away from {day} to {day2}",
            "Let {recipient} know that I am out from {day} until {day2}",
            "Write to {recipient} that nobody is here from {day} to {day2}",
        ),
        (
            "[I will|I'll] <h>be away from {day} to {day2}",
            "From {day} to {day2} the office will <h>be closed",
            "[We are|We're] <h>not here from {day} to {day2}",
        ),
        "[I will|I'll] <h>be away for some days",
    ),
    Intent(
        "offer_help",
        "tell",
        "progress",
        ("topic", "day"),
        (
            "Offer {recipient} help with the {topic} on {day}",
            "Tell {recipient} that I can help with the {topic} on {day}",
            "Let {recipient} know that I have time for the {topic} on {day}",
        ),
        (
            "I can <h>help with the {topic} on {day}",
            "On {day} [I will|I'll] <h>have time for the {topic}",
            "[I am|I'm] <h>free on {day} to help with the {topic}",
        ),
        "[I am|I'm] <h>free to help with the {topic}",
    ),
    Intent(
        "thank_help",
        "thank",
        "thanks",
        ("topic", "day"),
        (
            "Thank {recipient} for the help with the {topic} on {day}",
            "Say thanks to {recipient}, who helped with the {topic} on {day}",
            "Tell {recipient} how good the help with the {topic} on {day} was",
        ),
        (
            "Thank you for your help with the {topic} on {day}",
            "Many thanks for helping with the {topic} on {day}",
            "Your help with the {topic} on {day} was just what we needed",
        ),
        "Thank you for your help with the {topic}",
    ),
    Intent(
        "item_late",
        "sorry",
        "apologies",
        ("item", "day"),
        (
            "Apologise to {recipient} that the {item} comes on {day} only",
            "Say sorry to {recipient}, the {item} will be late: {day}",
            "Tell {recipient} we are sorry that the {item} has to wait until {day}",
        ),
        (
            "[I am|I'm] sorry that you <h>get the {item} on {day} only",
            "Sorry that the {item} <h>has to wait until {day}",
            "The {item} will <h>be late and come on {day}",
        ),
        "[I am|I'm] sorry for the delay",
    ),
)
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(intent.seed_topic for intent in INTENTS))

EXTRAS: tuple[Extra, ...] = (
    Extra("item", "and ask for the {item} too", "Please bring the {item} as well", "bring"),
    Extra("reason", "because of {reason}", "The reason is {reason}", "reason", ("ask", "tell", "sorry")),
    Extra("person", "and say that {person} is coming too", "Note that {person} is coming too", "also"),
    Extra("day", "and ask for an answer by {day}", "Please answer by {day}", "answer by", ("ask", "tell", "problem")),
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
        "if [it is|it's] not too much to ask",
        "if [that is|that's] fine with you",
        "as [it would|it'd] help me a lot",
        "as [I have|I've] nobody else to ask",
        "since [you are|you're] the right one to ask",
    ),
    "tell": (
        "as [you will|you'll] want to know",
        "so [you are|you're] not caught by surprise",
        "and [that is|that's] settled now",
        "so [you do not|you don't] have to ask",
        "and [it is|it's] no trouble at all",
        "as [I have|I've] said before",
        "and [we are|we're] all fine with it",
        "so [you have|you've] time to plan",
        "and [I am|I'm] glad to tell you",
        "as [we have|we've] all agreed",
    ),
    "thank": (
        "and [I am|I'm] really grateful",
        "as [it is|it's] a real help",
        "and [that is|that's] no small thing",
        "and [we are|we're] all very glad",
        "as [you have|you've] saved my day",
        "and [it is|it's] more than I hoped for",
        "and [I will|I'll] gladly do the same for you",
        "as [we have|we've] needed it so much",
    ),
    "praise": (
        "and [that is|that's] no small thing",
        "and [we are|we're] all very glad",
        "and [it is|it's] all your work",
        "as [you have|you've] done so much for it",
        "and [I am|I'm] happy for you",
        "and [I have|I've] told everybody",
    ),
    "sorry": (
        "and [I am|I'm] sorry for the trouble",
        "and [I do not|I don't] like it either",
        "and [I have|I've] thought about it a lot",
        "and [I will|I'll] make up for it",
        "and [it is|it's] not what I wanted",
        "and [that is|that's] a pity",
    ),
    "problem": (
        "so [it is|it's] good that you know",
        "and [we cannot|we can't] wait too long",
        "and [I do not|I don't] know why",
        "as [I have|I've] just seen",
        "and [that is|that's] a pity",
        "so [we are|we're] a bit stuck",
    ),
    "answer": (
        "so [that is|that's] settled",
        "as [you have|you've] asked",
        "so [we are|we're] all set",
        "and [I am|I'm] glad that you wrote",
        "so [you do not|you don't] have to wait",
        "as [it is|it's] no trouble for me",
    ),
}
FOLLOW_UPS: dict[str, tuple[str, ...]] = {
    "ask": ("[I will|I'll] take care of the rest.", "[I do not|I don't] want to rush you.", "[It is|It's] not a big task.",
            "[We cannot|We can't] do it without you.", "[That is|That's] all I need for now.", "[I have|I've] no other wish.",
            "I know that [you are|you're] busy.", "[I would|I'd] do the same for you.", "[I am|I'm] easy to reach all week.",
            "[We will|We'll] be happy with any answer.", "[You have|You've] always been a help.", "[It is|It's] fine if that takes a day."),
    "tell": ("[I will|I'll] keep you posted.", "[You do not|You don't] have to do anything.", "[That is|That's] all the news for now.",
             "[We will|We'll] sort out the rest.", "[I am|I'm] here for any questions.", "[It is|It's] all under control.",
             "[I have|I've] told the others too.", "[You will|You'll] hear more from me soon.", "[We are|We're] all looking ahead.",
             "[It is|It's] all written down here.", "[I do not|I don't] see any problem.", "You can count on it, [I am|I'm] sure."),
    "thank": ("[It is|It's] a pleasure to work with you.", "[I will|I'll] not forget it.", "[You have|You've] made my week.",
              "[I am|I'm] very happy about it.", "[That is|That's] how it should be.", "[We are|We're] lucky to have you.",
              "[I do not|I don't] know what to say.", "[It is|It's] good to have such help.", "[I have|I've] told the others about it."),
    "praise": ("[It is|It's] a pleasure to see.", "[I will|I'll] not forget it.", "[You have|You've] made us all proud.",
               "[I am|I'm] very happy about it.", "[That is|That's] how it should be.", "[We will|We'll] drink to that."),
    "sorry": ("I hope that [you are|you're] not too cross.", "[I will|I'll] do better next time.", "[It is|It's] not easy to say.",
              "[You have|You've] every right to be cross.", "[That is|That's] all I can say.", "[I do not|I don't] take it lightly.",
              "[We will|We'll] find another way."),
    "problem": ("[I do not|I don't] want to make a fuss.", "[It is|It's] not your fault.", "[We will|We'll] need some help with it.",
                "[I am|I'm] sure [it is|it's] soon put right.", "[That is|That's] all I know so far.", "[I have|I've] tried what I could.",
                "[You will|You'll] know what to do."),
    "answer": ("[I will|I'll] take care of the rest.", "[It is|It's] good to hear from you.", "[That is|That's] all from my side.",
               "[You do not|You don't] have to do anything.", "[I have|I've] made a note of it.", "[We will|We'll] talk soon.",
               "[I am|I'm] here if there is more."),
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
    "This morning I went through my notes and saw how much we have done together since last year.",
    "The others send their best and ask when you will come by and see how we live now.",
    "I had hoped to write sooner but one thing after the other came up and the time was gone.",
    "You know how it is here with the phone that rings all day and the people at the door.",
    "It has been a while since we had time to talk and I often think of the last time.",
    "My plan for the next months is to keep things simple and to do one thing after the other.",
)

"""The script of the demo: its steps in order, and the line that tells what was observed in each."""

from collections.abc import Callable
from dataclasses import dataclass

from local.demo.second_act import leave, lose_key, near_expiry, old_version, pinned_version, repair_drift
from local.demo.stage import Facts, Stage
from local.demo.steps import (
    consent,
    follow_rotation,
    mended_key,
    protect_account,
    prove_it,
    provider_side,
    release_account,
    unfit_key,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what it does, and the line that tells what was observed (filled in with the facts)."""

    name: str
    play: Callable[[Stage], Facts]
    line: str


STEPS = (
    Step(
        "The provider's side exists",
        provider_side,
        "{identity} exchanges for a token of the application at home; Contoso's tenant refuses: "
        "{tokenInContosoBeforeConsent}",
    ),
    Step(
        "Contoso consents",
        consent,
        "consent was {consentBefore} and is {consentAfter}, confirmed by a token; "
        "the used link answers {sameLinkAgain}",
    ),
    Step(
        "An unfit key is found out",
        unfit_key,
        "{findings}, each with its remedy (at first {atFirst})",
    ),
    Step(
        "Contoso mends it",
        mended_key,
        "{verification}: {checksPassed} checks passed; the vault itself was asked {byTheVault}; "
        "the customer is {phase}",
    ),
    Step(
        "A storage account is protected",
        protect_account,
        "ARM shows {keyInUse}, federated client {federatedClientId}, identities {identityType}; tags kept",
    ),
    Step(
        "A rotation is followed",
        follow_rotation,
        "on version {versionInUse} after {secondsUntilOnTheAccount} s, confirmed after {secondsUntilConfirmed} s, "
        "Azure's automatic setting kept; Azure by itself: {azureByItself}",
    ),
    Step(
        "The account is released",
        release_account,
        "ARM shows {keySource}; identity {identityType} and tags as before",
    ),
    Step(
        "Contoso disables its key for a while",
        lose_key,
        "{atFirst} at first, announced as {announced} when seen again after {secondsUntilSeenAgain} s: "
        "{failingOperations} operations fail on {concerned}; enabled again it is {enabledAgain}",
    ),
    Step(
        "Somebody changes the encryption by hand",
        repair_drift,
        "ARM showed {changedByHandTo}; the next sweep announced it and repaired it: ARM shows {keySource} again",
    ),
    Step(
        "The old version may go",
        old_version,
        "version {retirable} is said to be retirable after {days} day(s), nothing uses it any more; in use: {inUse}",
    ),
    Step(
        "The key comes near its end",
        near_expiry,
        "announced {daysLeftWhenAnnounced} days before, each step once; the key is {health} until {expiresAt}",
    ),
    Step(
        "A version is pinned, a new one accepted",
        pinned_version,
        "after a rotation still on {afterRotation}; accepted and confirmed: {versionInUse}",
    ),
    Step(
        "Contoso leaves",
        leave,
        "{percentComplete} %; ARM shows {keySource}; the customer is answered {customer}; the statement lists what "
        "protected {protectedBy} up to entry {upToEntry}, hash {headHash}",
    ),
    Step(
        "The timeline proves it",
        prove_it,
        "{entries} entries, intact: {intact}; a subscriber received {notifications}",
    ),
)

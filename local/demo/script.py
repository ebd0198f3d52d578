"""The script of the demo: its steps in order, and the line that tells what was observed in each."""

from collections.abc import Callable
from dataclasses import dataclass

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
        "The timeline proves it",
        prove_it,
        "{entries} entries, intact: {intact}; a subscriber received {notifications}",
    ),
)

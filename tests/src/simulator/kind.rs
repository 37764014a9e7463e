//! The operations that can be started, and the families that they belong to.

use super::{
    life::{End, Phase, Stage},
    location::LocationForm,
    path::Keys,
};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    CreateTeam,
    CloneTeam,
    ArchiveTeam,
    UnarchiveTeam,
    CreateChannel,
    ArchiveChannel,
    UnarchiveChannel,
    CreateChat,
    CreateCommunity,
    CopyContentType,
    CreateSite,
    ResetPassword,
    ChangeSchema,
    CreateSession,
    AddTableRow,
    CreatePrinter,
    CopyNotebook,
    CopyItem,
    MoveItem,
    UploadFromUrl,
}

/// Operations whose documents have the same type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Teams,
    Engagement,
    Rich,
    LongRunning,
    Connection,
    Workbook,
    Print,
    Onenote,
    /// Copies, moves and uploads of drive items, shown by a monitor on another origin.
    Drive,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateTeam => "createTeam",
            Self::CloneTeam => "cloneTeam",
            Self::ArchiveTeam => "archiveTeam",
            Self::UnarchiveTeam => "unarchiveTeam",
            Self::CreateChannel => "createChannel",
            Self::ArchiveChannel => "archiveChannel",
            Self::UnarchiveChannel => "unarchiveChannel",
            Self::CreateChat => "createChat",
            Self::CreateCommunity => "createCommunity",
            Self::CopyContentType => "contentTypeCopy",
            Self::CreateSite => "createSite",
            Self::ResetPassword => "resetPassword",
            Self::ChangeSchema => "changeSchema",
            Self::CreateSession => "createSession",
            Self::AddTableRow => "addTableRow",
            Self::CreatePrinter => "createPrinter",
            Self::CopyNotebook => "copyNotebook",
            Self::CopyItem => "copyItem",
            Self::MoveItem => "moveItem",
            Self::UploadFromUrl => "uploadFromUrl",
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::CreateTeam
            | Self::CloneTeam
            | Self::ArchiveTeam
            | Self::UnarchiveTeam
            | Self::CreateChannel
            | Self::ArchiveChannel
            | Self::UnarchiveChannel
            | Self::CreateChat => Family::Teams,
            Self::CreateCommunity => Family::Engagement,
            Self::CopyContentType | Self::CreateSite => Family::Rich,
            Self::ResetPassword => Family::LongRunning,
            Self::ChangeSchema => Family::Connection,
            Self::CreateSession | Self::AddTableRow => Family::Workbook,
            Self::CreatePrinter => Family::Print,
            Self::CopyNotebook => Family::Onenote,
            Self::CopyItem | Self::MoveItem | Self::UploadFromUrl => Family::Drive,
        }
    }

    /// Whether the member comes after `unknownFutureValue`, and so is hidden from clients that did
    /// not ask for it.
    pub(super) fn is_late(self) -> bool {
        matches!(
            self,
            Self::CreateChannel | Self::ArchiveChannel | Self::UnarchiveChannel | Self::CreateChat
        )
    }

    /// Whether the target is archived afterwards, if the operation changes that.
    pub(super) fn archives(self) -> Option<bool> {
        match self {
            Self::ArchiveTeam | Self::ArchiveChannel => Some(true),
            Self::UnarchiveTeam | Self::UnarchiveChannel => Some(false),
            _ => None,
        }
    }

    /// Whether the operation creates the target.
    pub(super) fn creates(self) -> bool {
        self.archives().is_none() && !matches!(self, Self::ResetPassword | Self::MoveItem)
    }

    /// Whether the starting request needs a body.
    pub(super) fn needs_body(self) -> bool {
        self.archives().is_none()
            && !matches!(self, Self::ResetPassword | Self::CreateSession | Self::CopyNotebook)
    }

    /// How the starting answer names the operation by default.
    pub(super) fn location(self) -> LocationForm {
        match self {
            Self::ArchiveChannel | Self::UnarchiveChannel => LocationForm::SlashKey,
            Self::CreateSite => LocationForm::AbsoluteFunctionCall,
            _ => match self.family() {
                Family::Teams => LocationForm::QuotedKey,
                Family::Print | Family::Onenote => LocationForm::OperationLocation,
                _ => LocationForm::Absolute,
            },
        }
    }
}

impl Family {
    /// How the family's absolute addresses write their keys.
    pub(super) fn keys(self) -> Keys {
        match self {
            Self::Teams | Self::Engagement => Keys::Quoted,
            _ => Keys::Slash,
        }
    }

    /// The family's status word for a stage.
    pub(super) fn word(self, stage: &Stage) -> String {
        let (not_started, running, succeeded, failed) = match self {
            Self::Teams => ("notStarted", "inProgress", "succeeded", "failed"),
            Self::Connection => ("unspecified", "inprogress", "completed", "failed"),
            Self::Onenote => ("NotStarted", "Running", "Completed", "Failed"),
            Self::Drive => ("notStarted", "inProgress", "completed", "failed"),
            Self::Engagement | Self::Rich | Self::LongRunning | Self::Workbook | Self::Print => {
                ("notStarted", "running", "succeeded", "failed")
            }
        };
        match stage {
            Stage::Going(Phase::NotStarted) => not_started,
            Stage::Going(Phase::InProgress | Phase::Retried) | Stage::Ended(End::Never) => running,
            Stage::Going(Phase::Missing) => "missing",
            Stage::Going(Phase::EmptyStatus) => "",
            Stage::Going(Phase::Other(word)) => word,
            Stage::Ended(End::Succeeded) => succeeded,
            Stage::Ended(End::Invalid) if self == Self::Teams => "invalid",
            Stage::Ended(End::Failed(_) | End::Invalid) => failed,
        }
        .to_owned()
    }

    /// Whether members after `unknownFutureValue` are hidden from clients that did not ask for
    /// them: the others' enumerations have no such member.
    pub(super) fn hides(self) -> bool {
        !matches!(self, Self::Workbook | Self::Onenote | Self::Drive)
    }
}

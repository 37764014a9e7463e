//! The methods that the two handles share to the letter.

/// Reads and sets what a handle knows without asking the service.
macro_rules! operation_accessors {
    () => {
        /// The operation's address, resolved; `None` if the service finished at once.
        pub fn location(&self) -> Option<&http::Uri> {
            self.handle.location()
        }

        /// Names the operation, so that another process can wait for it; `None` if the service
        /// finished at once.
        pub fn resume_token(&self) -> Option<crate::ResumeToken> {
            self.handle.resume_token()
        }

        /// The `request-id` of the answer to the starting request, which Microsoft's support asks
        /// for.
        pub fn request_id(&self) -> Option<&str> {
            self.handle.request_id()
        }

        /// The `client-request-id` of the answer to the starting request.
        pub fn client_request_id(&self) -> Option<&str> {
            self.handle.client_request_id()
        }

        /// The operation's id, as far as its address tells before any check.
        pub fn operation_id(&self) -> Option<&str> {
            self.handle.operation_id()
        }

        /// What the operation works on, as far as the starting answer tells before any check: the
        /// path of the team that is being created, for example. A hint for a person; the result is
        /// found through [`target`](Self::target).
        pub fn target_hint(&self) -> Option<&str> {
            self.handle.target_hint()
        }

        /// Changes the policy from here on. The deadline still counts from the start.
        pub fn set_polling(&mut self, polling: crate::Polling) {
            self.handle.set_polling(polling);
        }

        /// The same with another policy. The deadline still counts from the start.
        pub fn with_polling(mut self, polling: crate::Polling) -> Self {
            self.set_polling(polling);
            self
        }

        /// What the last check found.
        pub fn update(&self) -> crate::Update<M> {
            crate::Update::of(&self.handle)
        }
    };
}

pub(crate) use operation_accessors;

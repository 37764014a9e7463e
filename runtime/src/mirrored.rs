//! What the two handles, and the two kinds of `Completed`, share to the letter.

/// How a handle comes to be other than by an answer, with the `Client` that is in scope.
macro_rules! operation_constructors {
    () => {
        impl Operation {
            /// Follows the operation at an address that is known, absolute or relative to the
            /// service root.
            pub fn from_location(client: impl Client, location: impl AsRef<str>) -> Result<Self> {
                Self::from_location_as(client, location)
            }

            /// The same for an operation of another model.
            pub fn from_location_as<M: Model>(
                client: impl Client,
                location: impl AsRef<str>,
            ) -> Result<Operation<Value, M>> {
                let (root, now, seed) = (client.service_root(), client.now(), client.random());
                let handle = Handle::at(Reader::of::<M>(), root, location.as_ref(), now, seed)?;
                Ok(Operation::new(client, handle).typed())
            }

            /// Goes on with an operation that another handle, perhaps in another process, has named.
            ///
            /// The first check comes after the policy's first wait, and the deadline counts from
            /// here. The policy is the default one until [`with_polling`](Self::with_polling) says
            /// otherwise: a token does not carry it.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken), before any request, if
            /// the token is of another origin than the client's service root, or of another model.
            pub fn resume(client: impl Client, token: ResumeToken) -> Result<Self> {
                Self::resume_as(client, token)
            }

            /// The same for an operation of another model.
            pub fn resume_as<M: Model>(
                client: impl Client,
                token: ResumeToken,
            ) -> Result<Operation<Value, M>> {
                let (root, now, seed) = (client.service_root(), client.now(), client.random());
                let handle = Handle::resume(Reader::of::<M>(), root, &token, now, seed)?;
                Ok(Operation::new(client, handle).typed())
            }

            pub(crate) fn accept<C: Client>(
                client: C,
                reader: &'static Reader,
                polling: Polling,
                answer: Answer,
            ) -> Result<Self> {
                let (root, now, seed) = (client.service_root(), client.now(), client.random());
                let handle = Handle::accept(reader, root, answer, polling, now, seed)?;
                Ok(Operation::new(client, handle))
            }

            fn new(client: impl Client, handle: Handle) -> Self {
                let connection = connect(client, Span::of(&handle));
                Operation { handle, connection, types: PhantomData }
            }
        }

        impl<T, M> Operation<T, M> {
            /// The same with other types; the handle has been made for this model.
            pub(crate) fn typed<U, N>(self) -> Operation<U, N> {
                Operation { handle: self.handle, connection: self.connection, types: PhantomData }
            }
        }

        impl<T, M> Clone for Completed<T, M> {
            fn clone(&self) -> Self {
                Completed {
                    outcome: self.outcome.clone(),
                    connection: Arc::clone(&self.connection),
                    types: PhantomData,
                }
            }
        }

        impl<T, M> fmt::Debug for Operation<T, M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple("Operation").field(&self.handle).finish()
            }
        }

        impl<T, M> fmt::Debug for Updates<'_, T, M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple("Updates").field(&self.operation.handle).finish()
            }
        }

        impl<T, M> fmt::Debug for Completed<T, M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.outcome.fmt(f)
            }
        }
    };
}

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

        /// Changes what the target deserializes to.
        pub fn with_target<U>(self) -> Operation<U, M> {
            self.typed()
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

/// The methods that both kinds of `Completed` share.
macro_rules! completed_accessors {
    () => {
        /// The operation as it ended; `None` if the service had finished at once, without one.
        pub fn operation(&self) -> Option<&M> {
            self.outcome.snapshot.as_ref()?.downcast_ref()
        }

        /// The id of what the operation worked on.
        pub fn target_id(&self) -> Option<&str> {
            self.outcome.snapshot.as_ref()?.target_id()
        }

        /// Where the result is, as the service wrote it. Opaque: what it leads to is not told by
        /// its parts.
        pub fn target_location(&self) -> Option<&str> {
            self.outcome.target_location.as_deref()
        }
    };
}

pub(crate) use {completed_accessors, operation_accessors, operation_constructors};
